// SPDX-License-Identifier: Apache-2.0
#pragma once
// Indices: the elements of an INT64 or INT32 tensor, read in place as positions along an axis.
// Negative ones count from its end.
//
//   Owns     nothing.
//   Threads  const access from any number.
//   Trust    the elements may be anything: within() comes before at().
//   Fails    within() for an index that is outside.

#include "base/format.h"
#include "isolated/engine/operators/computation.h"

namespace casemate::engine {

class Indices final {
 public:
  static Result<Indices> of(Computation& c, size_t input) {
    const Tensor* tensor = TRY(c.tensor(input));
    Indices indices;
    if (tensor->type() == ElementType::kInt64) {
      indices.wide_ = tensor->values<int64_t>();
    } else {
      indices.narrow_ = TRY(c.values<int32_t>(input));
    }
    return indices;
  }

  [[nodiscard]] size_t count() const { return wide_.size() + narrow_.size(); }
  int64_t operator[](size_t i) const { return narrow_.empty() ? wide_[i] : narrow_[i]; }

  // Whether each is an index of an axis of that extent.
  [[nodiscard]] Status within(int64_t extent) const {
    for (size_t i = 0; i < count(); ++i) {
      if (!inside((*this)[i], extent)) return outside((*this)[i], extent);
    }
    return {};
  }
  // Requires: within(extent).
  [[nodiscard]] int64_t at(size_t i, int64_t extent) const {
    const int64_t index = (*this)[i];
    return index < 0 ? index + extent : index;
  }

  static bool inside(int64_t index, int64_t extent) { return index >= -extent && index < extent; }
  static Error outside(int64_t index, int64_t extent) {
    return {Code::kInvalid,
            formatted("index {} is outside of an axis of extent {}", index, extent)};
  }

 private:
  std::span<const int64_t> wide_;
  std::span<const int32_t> narrow_;
};

}  // namespace casemate::engine
