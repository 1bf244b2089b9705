// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: tensors as one writes them down.

#include <numeric>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {

// 0, 1, 2, ...
template <class T = float>
Tensor counting(const Shape& shape) {
  std::vector<T> values(*shape.element_count());
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i);
  return Tensor::of<T>(shape, values);
}

inline Tensor list(std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

inline Tensor floats(const Shape& shape, std::initializer_list<float> values) {
  return Tensor::of<float>(shape, values);
}

inline Tensor texts(const Shape& shape, std::vector<std::string> values) {
  return *Tensor::make(shape, std::move(values));
}

// The shape of an output, or why there is none.
inline std::string shape_of(const Result<std::vector<Datum>>& outputs, size_t output = 0) {
  if (!outputs) return outputs.error().text;
  return (*outputs)[output].tensor()->shape().text();
}

}  // namespace casemate::engine
