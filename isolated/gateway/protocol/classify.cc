// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/classify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "isolated/gateway/protocol/element_visit.h"
#include "isolated/gateway/protocol/elements.h"
#include "isolated/gateway/protocol/json_text.h"

namespace casemate::gateway {
namespace {

template <class T>
T comparable(T value) {
  if constexpr (std::is_floating_point_v<T>)
    return std::isnan(value) ? -std::numeric_limits<T>::infinity() : value;
  return value;
}

template <class T>
void append_value(std::string& out, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      out += std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
      return;
    }
  }
  append_number(out, value);
}

template <class T>
void classify_item(Bytes item, size_t count, std::vector<uint8_t>& strings) {
  // A private copy: the enclave that wrote them may change them, and sorting needs one truth.
  std::vector<T> values(item.size() / sizeof(T));
  std::memcpy(values.data(), item.data(), values.size() * sizeof(T));
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto higher = [&](uint32_t a, uint32_t b) {
    const T x = comparable(values[a]);
    const T y = comparable(values[b]);
    return x != y ? x > y : a < b;
  };
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(order.begin(), middle, order.end(), higher);
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text.clear();
    append_value(text, values[order[i]]);
    text += ':';
    append_number(text, order[i]);
    append_string_element(strings, text);
  }
}

}  // namespace

Classes classify(const TensorView& tensor, uint32_t count, bool batched) {
  const uint64_t elements = tensor.data.size() / size_of(tensor.type);
  const auto items = batched ? static_cast<uint64_t>(tensor.shape[0]) : 1;
  const uint64_t per_item = items == 0 ? 0 : elements / items;
  const uint64_t classes = std::min<uint64_t>(count, per_item);
  Classes result;
  result.shape = batched ? Shape{static_cast<int64_t>(items), static_cast<int64_t>(classes)}
                         : Shape{static_cast<int64_t>(classes)};
  if (classes == 0) return result;
  const uint64_t item_bytes = per_item * size_of(tensor.type);
  for (uint64_t i = 0; i < items; ++i) {
    visit_element_type(tensor.type, [&]<class T>(T) {
      classify_item<T>(tensor.data.subspan(i * item_bytes, item_bytes), classes, result.strings);
    });
  }
  return result;
}

}  // namespace casemate::gateway
