// SPDX-License-Identifier: Apache-2.0
#pragma once
// Depth-wise convolutions, one filter for each channel, channels last in and out, by loops of our
// own. They are bound by memory more than by arithmetic, so a line of results is made of lines that
// are still in a near cache.

#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

// None for a node that it does not take: several channels or filters in a group, weights that are
// computed, a sum with another value.
Result<std::unique_ptr<Kernel>> make_depthwise_convolution(const KernelRequest& request);

}  // namespace casemate::engine
