// SPDX-License-Identifier: Apache-2.0
#pragma once
// Convolutions of 3 x 3 windows, stride 1, with fewer multiplications: Winograd's minimal
// filtering, F(2x2, 3x3) and F(4x4, 3x3), as Lavin and Gray use it (CVPR 2016). A tile of 4 x 4
// pixels costs 36 multiplications per channel and filter instead of 144, and the weights are four
// times as many; 2 x 2: 16 instead of 36. Its largest error is some ten times that of the plain
// sum; the tests have the figures.

#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

// With tiles of `size` x `size`, 2 or 4. None for a node that it does not take.
Result<std::unique_ptr<Kernel>> make_winograd_convolution(const KernelRequest& request, int size);

// The tile size that is expected to be fastest for the node, by operations and bytes; 0 when that
// is no such convolution, or a plain one is as fast.
int winograd_size(const KernelRequest& request);

}  // namespace casemate::engine
