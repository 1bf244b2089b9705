// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/window.h"

#include <algorithm>

namespace casemate::engine {

Window window_of(const Node& node, const Shape& input, const Shape& output) {
  const size_t spatial = input.rank() - 2;
  const auto list = [&](std::string_view name, size_t length, int64_t otherwise) {
    std::vector<int64_t> values = node.attributes.integers(name);
    if (values.size() != length) values.assign(length, otherwise);
    return values;
  };
  const std::vector<int64_t> pads = list("pads", 2 * spatial, 0);
  Window window{.kernel = list("kernel_shape", spatial, 1),
                .strides = list("strides", spatial, 1),
                .dilations = list("dilations", spatial, 1),
                .pads_begin = {pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(spatial)},
                .pads_end = {pads.begin() + static_cast<std::ptrdiff_t>(spatial), pads.end()},
                .reach_end = dnnl::memory::dims(spatial)};
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t extent = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t covered = (output[i + 2] - 1) * window.strides[i] + extent;
    const int64_t needed = covered - input[i + 2] - window.pads_begin[i];
    window.reach_end[i] = std::max(needed, window.pads_end[i]);
    window.dilations[i] -= 1;
  }
  return window;
}

}  // namespace casemate::engine
