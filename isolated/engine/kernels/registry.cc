// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/registry.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace casemate::engine {
namespace {

// What passes/canonical.h rewrites.
constexpr std::array<std::string_view, 21> kCanonical = {
    "AveragePool", "BatchNormalization",
    "ConvInteger", "QLinearConv",
    "Clip",        "Conv",
    "Expand",      "Gemm",
    "LogSoftmax",  "Max",
    "MaxPool",     "Min",
    "Pad",         "Pow",
    "ReduceMax",   "ReduceMean",
    "ReduceMin",   "ReduceSum",
    "Reshape",     "Slice",
    "Softmax",
};

bool plain(std::string_view op) {
  return op != "Transpose" && !std::ranges::contains(kCanonical, op);
}

// Whose kernels are our own loops, or can be; and so are those of what works on bytes.
constexpr std::array<std::string_view, 21> kAhead = {"Cast",
                                                     "Concat",
                                                     "Conv",
                                                     "Expand",
                                                     "Gelu",
                                                     "Gemm",
                                                     "MatMul",
                                                     "Pad",
                                                     "ReduceMax",
                                                     "ReduceMean",
                                                     "ReduceMin",
                                                     "ReduceSum",
                                                     "Relu",
                                                     "Reshape",
                                                     "Slice",
                                                     "Tanh",
                                                     "Transpose",
                                                     "LayerNormalization",
                                                     "casemate:Attention",
                                                     "casemate:Copy",
                                                     "casemate:SeparableConv"};

bool ahead(std::string_view op) { return std::ranges::contains(kAhead, op); }

}  // namespace

const Registry& Registry::instance() {
  static const Registry registry = [] {
    Registry all;
    register_convolution(all);
    register_separable_convolution(all);
    register_pooling(all);
    register_product(all);
    register_activation(all);
    register_binary(all);
    register_normalization(all);
    register_layer_normalization(all);
    register_response_normalization(all);
    register_attention(all);
    register_softmax(all);
    register_reduction(all);
    register_concat(all);
    register_copy(all);
    register_cast(all);
    register_byte_convolution(all);
    register_byte_product(all);
    register_byte_pooling(all);
    register_quantisation(all);
    return all;
  }();
  return registry;
}

void Registry::put(std::string op, ElementType type, Device device, KernelEntry entry) {
  entry.plain = plain(op);
  entry.ahead = entry.ahead || entry.mixed || ahead(op);
  const bool fresh = entries_.emplace(std::tuple(std::move(op), device, type), entry).second;
  CHECK(fresh, "an operator is registered once per type and device");
}

void Registry::add(std::string op, ElementType type, Device device, KernelMaker maker) {
  put(std::move(op), type, device, {.maker = maker, .output = type});
}

void Registry::add_converting(std::string op, ElementType type, Device device, KernelMaker maker) {
  put(std::move(op), type, device, {.maker = maker, .output = ElementType::kNone});
}

void Registry::add_mixed(std::string op, ElementType type, Device device, KernelMaker maker) {
  put(std::move(op), type, device, {.maker = maker, .output = ElementType::kNone, .mixed = true});
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
