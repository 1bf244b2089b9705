// SPDX-License-Identifier: Apache-2.0
#pragma once
// Registry: which function makes the kernel for an operator, element type and device. A new
// operator is one file with a function `register_...`, its test, and a line in registry.cc.
//
//   Owns     its table.
//   Threads  immutable once made.
//   Trust    none needed: it holds functions of this build.
//   Fails    find() yields none for what is not registered.

#include <map>
#include <string>
#include <tuple>

#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

// Makes a kernel. May throw dnnl::error: make_kernel() is the seam that catches it. It may rely on
// the types of all inputs and of the outputs: others are refused before it is asked.
using KernelMaker = KernelResult (*)(const KernelRequest& request);

// What is registered for an operator and a type. Every input has that type, the operands of
// post-operations included: an operator that reads another one is given a Cast by onnx/.
struct KernelEntry {
  KernelMaker maker;
  ElementType output;  // kNone: any, the maker looks
  // It takes nodes as the operator sets have them, since 7; the others take the canonical form
  // alone.
  bool plain = false;
  // It takes inputs of several types, and looks at them itself.
  bool mixed = false;
  // For a fixed request it makes a kernel without generating code, or refuses with kUnsupported.
  bool ahead = false;
};

class Registry final {
 public:
  // The kernels of this build.
  static const Registry& instance();

  // A kernel whose inputs and outputs all have this type. Requires: not registered before.
  void add(std::string op, ElementType type, Device device, KernelMaker maker);
  // A kernel whose inputs have this type and whose outputs have any.
  void add_converting(std::string op, ElementType type, Device device, KernelMaker maker);
  // A kernel whose first input has this type; the maker looks at all others.
  void add_mixed(std::string op, ElementType type, Device device, KernelMaker maker);
  // None when the operator, or the operator for this type, has no kernel there.
  [[nodiscard]] const KernelEntry* find(const std::string& op, ElementType type,
                                        Device device) const;
  // Whether it has a kernel for any type.
  [[nodiscard]] bool knows(const std::string& op, Device device) const;
  [[nodiscard]] const auto& all() const { return entries_; }

 private:
  void put(std::string op, ElementType type, Device device, KernelEntry entry);

  std::map<std::tuple<std::string, Device, ElementType>, KernelEntry> entries_;
};

void register_convolution(Registry& registry);
void register_separable_convolution(Registry& registry);
void register_pooling(Registry& registry);
void register_product(Registry& registry);
void register_activation(Registry& registry);
void register_binary(Registry& registry);
void register_normalization(Registry& registry);
void register_layer_normalization(Registry& registry);
void register_response_normalization(Registry& registry);
void register_attention(Registry& registry);
void register_softmax(Registry& registry);
void register_reduction(Registry& registry);
void register_concat(Registry& registry);
void register_copy(Registry& registry);
void register_cast(Registry& registry);
void register_byte_convolution(Registry& registry);
void register_byte_product(Registry& registry);
void register_byte_pooling(Registry& registry);
void register_quantisation(Registry& registry);

}  // namespace casemate::engine
