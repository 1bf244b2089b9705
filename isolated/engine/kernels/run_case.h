// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests and the record of errors: one node run through its kernel, row-major in and out,
// whatever layouts it likes inside; and reproducible numbers to run it on.
//
//   Owns     nothing.
//   Threads  those of set_threads().
//   Trust    none needed.
//   Fails    as making and running the kernel do.

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {

struct CaseInput {
  Tensor tensor;
  bool constant = false;
};

struct NodeCase {
  Node node;  // op, attributes, post_ops; inputs and outputs are filled in
  std::vector<CaseInput> inputs;
  Shape output;
  ElementType output_type = ElementType::kFloat32;
  Layout preferred = Layout::kChannelsLast;
  Layout given = Layout::kRowMajor;  // of inputs that are no constants, where it fits
  std::optional<size_t> overwrite_operand = {};
  // Instead of the registry's.
  KernelResult (*maker)(const KernelRequest& request) = nullptr;
  bool fixed = false;  // as for a shape that is first seen while a model serves
};

struct CaseResult {
  Tensor output;
  KernelNeeds needs;
};

// Memory for a tensor in some layout.
using CaseMemory = std::vector<uint64_t>;

inline uint8_t* data_of(CaseMemory& memory) {
  return static_cast<uint8_t*>(static_cast<void*>(memory.data()));
}

inline Status run_kernel(const Kernel& kernel, std::span<uint8_t* const> inputs,
                         std::span<uint8_t* const> outputs) {
  const KernelNeeds& needs = kernel.needs();
  const uint64_t stride = (needs.scratch_bytes + 63) / 64 * 64;
  const auto threads = static_cast<uint64_t>(needs.scratch_of_each_thread ? thread_count() : 1);
  CaseMemory scratch(stride * threads / 8 + 9);
  const auto state = TRY(kernel.make_state());
  // Scratch memory is promised to be aligned like the arena.
  auto* const start = data_of(scratch);
  auto* const aligned = start + (64 - std::bit_cast<uintptr_t>(start) % 64) % 64;
  return kernel.run({inputs, outputs, aligned, state.get(), stride});
}

inline Result<CaseMemory> reordered(ElementType type, const Shape& shape, uint8_t* data,
                                    Layout from, Layout to) {
  CaseMemory memory(TRY(layout_bytes(type, shape, to)) / 8 + 1);
  const auto kernel = same_placement(shape, from, to) ? make_copy(type, shape, from)
                                                      : make_reorder(type, shape, from, to);
  if (!kernel) return kernel.error();
  uint8_t* const target = data_of(memory);
  TRY(run_kernel(**kernel, std::span(&data, 1), std::span(&target, 1)));
  return memory;
}

inline Result<CaseResult> run_case(const NodeCase& given) {
  Graph graph;
  Node node = given.node;
  node.name = "case";
  for (const CaseInput& input : given.inputs) {
    const std::string name = "input" + std::to_string(node.inputs.size());
    node.inputs.push_back(
        input.constant ? graph.add_constant(name, input.tensor)
                       : graph.add_input({name, input.tensor.type(), {input.tensor.shape()}}));
  }
  graph.add_output(graph.add_node(node, {{"output", given.output_type, {given.output}}}));
  auto weights = TRY(tensors::WeightStore::make(64 << 20));
  Packer packer(weights);
  std::vector<Layout> layouts;
  for (const CaseInput& input : given.inputs) {
    layouts.push_back(!input.constant && layout_fits(input.tensor.shape(), given.given)
                          ? given.given
                          : Layout::kRowMajor);
  }
  const KernelRequest request{graph,           graph.nodes()[0],        0,      layouts,
                              given.preferred, given.overwrite_operand, packer, given.fixed};
  const auto kernel = TRY(given.maker != nullptr ? given.maker(request) : make_kernel(request));
  if (kernel == nullptr) return Error{Code::kUnsupported, "no such kernel for this node"};
  const KernelNeeds& needs = kernel->needs();
  std::vector<CaseMemory> memory(given.inputs.size());
  std::vector<uint8_t*> inputs(given.inputs.size());
  for (size_t i = 0; i < given.inputs.size(); ++i) {
    if (i >= needs.inputs.size() || !needs.inputs[i]) continue;
    Tensor copy = given.inputs[i].tensor;
    auto* const data = const_cast<uint8_t*>(copy.bytes().data());
    memory[i] =
        TRY(reordered(copy.type(), copy.shape(), data, Layout::kRowMajor, *needs.inputs[i]));
    inputs[i] = data_of(memory[i]);
  }
  CaseMemory result(TRY(layout_bytes(given.output_type, given.output, needs.outputs[0])) / 8 + 1);
  // What may lie in one place does, where the case asks for it.
  std::optional<size_t> replaced = needs.overwrites;
  if (given.overwrite_operand &&
      std::ranges::contains(needs.may_overwrite, *given.overwrite_operand))
    replaced = given.overwrite_operand;
  uint8_t* output = replaced ? inputs[*replaced] : data_of(result);
  TRY(run_kernel(*kernel, inputs, std::span(&output, 1)));
  CaseMemory plain =
      TRY(reordered(given.output_type, given.output, output, needs.outputs[0], Layout::kRowMajor));
  const uint64_t bytes = TRY(tensor_bytes(given.output_type, given.output));
  std::string text(text_of(Bytes(data_of(plain), bytes)));
  return CaseResult{TRY(Tensor::make(given.output_type, given.output, std::move(text))), needs};
}

// Numbers from -1 to 1, the same for the same seed.
inline Tensor noise(const Shape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor tensor = *Tensor::zeros(ElementType::kFloat32, shape);
  for (float& value : tensor.values<float>()) value = uniform(random);
  return tensor;
}

}  // namespace casemate::engine
