// SPDX-License-Identifier: Apache-2.0
#pragma once
// Convolutions on our own matrix product (gemm.h), channels last in and out: each window's lines
// are pieces of a row of A, so that nothing is copied but the lines at the image's edge.

#include "isolated/engine/kernels/gemm.h"
#include "isolated/engine/kernels/image.h"
#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

// None for a node that it does not take: weights that are computed, post-operations that gemm.h
// does not know, groups of a few channels.
Result<std::unique_ptr<Kernel>> make_gemm_convolution(const KernelRequest& request);

// The name of the form in which its weights are packed.
std::string packed_window_form(int64_t groups, const gemm::InstructionSet& set);

// The weights [M,C/group,KH,KW] as one packed matrix [KH*KW*C/group, M/group] for each group; from
// planes or not, a window's elements come in the order of lines, columns, channels.
Result<const float*> pack_windows(Packer& packer, const ImageWindow& window, const Tensor& weights,
                                  const gemm::InstructionSet& set);

}  // namespace casemate::engine
