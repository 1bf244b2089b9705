// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/given_shape.h"

#include <format>

namespace casemate::engine {

Result<Shape> given_shape(std::span<const int64_t> extents) {
  if (extents.size() > limits::kRank) {
    return Error{Code::kUnsupported,
                 std::format("it makes a tensor of {} dimensions, supported are at most {}",
                             extents.size(), limits::kRank)};
  }
  const Shape shape(extents);
  if (shape.known()) return shape;
  return Error{Code::kInvalid, std::format("shape {} has a negative extent", shape.text())};
}

}  // namespace casemate::engine
