// SPDX-License-Identifier: Apache-2.0
#pragma once
// Registry: which function makes the kernel for an operator, element type and device. A new
// operator is one file with a function `register_...`, its test, and a line in registry.cc.

#include <map>
#include <string>
#include <tuple>

#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

// Makes a kernel. May throw dnnl::error: make_kernel() is the seam that catches it.
using KernelMaker = KernelResult (*)(const KernelRequest& request);

class Registry final {
 public:
  // The kernels of this build.
  static const Registry& instance();

  // Requires: not registered before. The type is that of the node's first input.
  void add(std::string op, ElementType type, Device device, KernelMaker maker);
  // None when the operator, or the operator for this type, has no kernel there.
  [[nodiscard]] KernelMaker find(const std::string& op, ElementType type, Device device) const;
  // Whether it has a kernel for any type.
  [[nodiscard]] bool knows(const std::string& op, Device device) const;

 private:
  std::map<std::tuple<std::string, Device, ElementType>, KernelMaker> makers_;
};

void register_convolution(Registry& registry);
void register_pooling(Registry& registry);
void register_product(Registry& registry);
void register_activation(Registry& registry);
void register_binary(Registry& registry);
void register_normalization(Registry& registry);
void register_softmax(Registry& registry);
void register_reduction(Registry& registry);
void register_concat(Registry& registry);
void register_copy(Registry& registry);
void register_cast(Registry& registry);

}  // namespace casemate::engine
