// SPDX-License-Identifier: Apache-2.0
#pragma once
// An equation of an Einsum, such as "bij,bjk->bik", for operands whose shapes are known: each
// dimension has a label, dimensions with the same label have the same extent, or 1.
//
//   Owns     its labels and extents.
//   Threads  a value type.
//   Trust    text and shapes may be anything.
//   Fails    make() with kInvalid.

#include <array>
#include <string_view>
#include <vector>

#include "wire/abi/tensor.h"

namespace casemate::engine {

struct EinsumEquation {
  // 'A' to 'Z', 'a' to 'z', and then the dimensions behind an ellipsis, from the last one on.
  static constexpr int kLabels = 2 * 26 + limits::kRank;
  using Labels = std::vector<int>;

  std::vector<Labels> operands;  // one label for each dimension
  Labels result;
  std::array<int64_t, kLabels> extents{};

  static Result<EinsumEquation> make(std::string_view text, const std::vector<Shape>& shapes);

  [[nodiscard]] Shape shape() const;  // of the result
};

}  // namespace casemate::engine
