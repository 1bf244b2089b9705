// SPDX-License-Identifier: Apache-2.0
#pragma once
// Attributes: the named constants of a node, such as the strides of a convolution.
//
//   Owns     its names and values.
//   Threads  a value type.
//   Trust    types were checked against the operator's schema on import.
//   Fails    a missing attribute, or one of another type, reads as the caller's default.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "isolated/engine/graph/tensor.h"

namespace casemate::engine {

class Graph;

// A subgraph is shared by the copies of its node, since no pass changes it in place.
using Subgraph = std::shared_ptr<const Graph>;
using Attribute =
    std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                 std::vector<std::string>, Tensor, std::vector<Tensor>, Subgraph>;

class Attributes final {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Attribute>> list) : values_(list) {}

  void set(std::string_view name, Attribute value) {
    values_.insert_or_assign(std::string(name), std::move(value));
  }
  void erase(std::string_view name) {
    if (const auto found = values_.find(name); found != values_.end()) values_.erase(found);
  }

  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  [[nodiscard]] int64_t integer(std::string_view name, int64_t otherwise) const {
    return value_of<int64_t>(name, otherwise);
  }
  [[nodiscard]] float real(std::string_view name, float otherwise) const {
    return value_of<float>(name, otherwise);
  }
  [[nodiscard]] std::string text(std::string_view name, std::string otherwise) const {
    return value_of<std::string>(name, std::move(otherwise));
  }
  // Empty when missing.
  [[nodiscard]] std::vector<int64_t> integers(std::string_view name) const {
    return value_of<std::vector<int64_t>>(name, {});
  }

  [[nodiscard]] std::vector<float> reals(std::string_view name) const {
    return value_of<std::vector<float>>(name, {});
  }
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const {
    return value_of<std::vector<std::string>>(name, {});
  }
  // None when missing, or of another type.
  [[nodiscard]] const Tensor* tensor(std::string_view name) const { return find<Tensor>(name); }
  [[nodiscard]] const Graph* graph(std::string_view name) const {
    const Subgraph* found = find<Subgraph>(name);
    return found == nullptr ? nullptr : found->get();
  }

  friend bool operator==(const Attributes&, const Attributes&) = default;
  [[nodiscard]] const auto& all() const { return values_; }

 private:
  template <class T>
  [[nodiscard]] const T* find(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : std::get_if<T>(&found->second);
  }
  template <class T>
  [[nodiscard]] T value_of(std::string_view name, T otherwise) const {
    const T* value = find<T>(name);
    return value == nullptr ? std::move(otherwise) : *value;
  }

  std::map<std::string, Attribute, std::less<>> values_;
};

}  // namespace casemate::engine
