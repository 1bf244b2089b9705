// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/layout.h"

#include <algorithm>

#include "isolated/engine/graph/tensor.h"

namespace casemate::engine {
namespace {

int64_t block_of(Layout layout) {
  if (layout == Layout::kBlocked8) return 8;
  if (layout == Layout::kBlocked16) return 16;
  return 1;
}

}  // namespace

std::string_view name_of(Layout layout) {
  constexpr std::string_view kNames[] = {"row-major", "channels-last", "blocked-8", "blocked-16"};
  return kNames[static_cast<size_t>(layout)];
}

bool layout_fits(const Shape& shape, Layout layout) {
  return layout == Layout::kRowMajor || (shape.rank() >= 3 && shape.rank() <= 5);
}

Result<uint64_t> layout_bytes(ElementType type, const Shape& shape, Layout layout) {
  Shape padded = shape;
  const int64_t block = block_of(layout);
  if (block > 1) {
    (void)TRY(tensor_bytes(type, shape));  // so that rounding up cannot overflow
    padded[1] = (shape[1] + block - 1) / block * block;
  }
  return tensor_bytes(type, padded);
}

bool same_placement(const Shape& shape, Layout a, Layout b) {
  if (a == b) return true;
  if (!layout_fits(shape, a) || !layout_fits(shape, b)) return false;
  const auto spatial = shape.dims().subspan(2);
  const bool one_pixel = std::ranges::all_of(spatial, [](int64_t extent) { return extent == 1; });
  // The simplest layout with the same placement.
  const auto simplest = [&](Layout layout) {
    const int64_t block = block_of(layout);
    if (shape[1] % block == 0 && (one_pixel || (shape[1] == 1 && block == 1)))
      return Layout::kRowMajor;
    return block > 1 && shape[1] == block ? Layout::kChannelsLast : layout;
  };
  return simplest(a) == simplest(b);
}

}  // namespace casemate::engine
