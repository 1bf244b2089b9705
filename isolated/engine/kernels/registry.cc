// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/registry.h"

#include <algorithm>

namespace casemate::engine {

const Registry& Registry::instance() {
  static const Registry registry = [] {
    Registry all;
    register_convolution(all);
    register_pooling(all);
    register_product(all);
    register_activation(all);
    register_binary(all);
    register_normalization(all);
    register_softmax(all);
    register_reduction(all);
    register_concat(all);
    register_copy(all);
    register_cast(all);
    return all;
  }();
  return registry;
}

void Registry::add(std::string op, ElementType type, Device device, KernelMaker maker) {
  const auto key = std::tuple(std::move(op), device, type);
  const bool fresh = entries_.emplace(key, KernelEntry{maker, type}).second;
  CHECK(fresh, "an operator is registered once per type and device");
}

void Registry::add_converting(std::string op, ElementType type, Device device, KernelMaker maker) {
  const auto key = std::tuple(std::move(op), device, type);
  const bool fresh = entries_.emplace(key, KernelEntry{maker, ElementType::kNone}).second;
  CHECK(fresh, "an operator is registered once per type and device");
}

const KernelEntry* Registry::find(const std::string& op, ElementType type, Device device) const {
  const auto found = entries_.find({op, device, type});
  return found == entries_.end() ? nullptr : &found->second;
}

bool Registry::knows(const std::string& op, Device device) const {
  const auto first = entries_.lower_bound({op, device, ElementType::kNone});
  return first != entries_.end() && std::get<0>(first->first) == op &&
         std::get<1>(first->first) == device;
}

}  // namespace casemate::engine
