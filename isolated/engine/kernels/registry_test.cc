// SPDX-License-Identifier: Apache-2.0
// Kernels take memory as elements of the types that they were registered for: whatever else a node
// reads or makes is refused before its kernel is asked.
#include "isolated/engine/kernels/registry.h"

#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"

namespace casemate::engine {
namespace {

// More inputs than any operator has, one for the operand of a post-operation.
constexpr size_t kInputs = 7;

// Making a kernel for a node of values [1,2,2,2] of these types.
KernelResult made(const std::string& op, const std::vector<ElementType>& inputs,
                  ElementType output) {
  Graph graph;
  Node node{.op = op, .name = "case"};
  const std::vector<Shape> shapes = {Shape{1, 2, 2, 2}};
  for (const ElementType type : inputs) node.inputs.push_back(graph.add_input({"x", type, shapes}));
  graph.add_node(node, {{"y", output, shapes}});
  auto weights = TRY(tensors::WeightStore::make(1 << 20));
  Packer packer(weights);
  return make_kernel({graph, graph.nodes()[0], 0,
                      std::vector<Layout>(inputs.size(), Layout::kRowMajor), Layout::kRowMajor,
                      std::nullopt, packer});
}

void expect_refused(const KernelResult& kernel, const std::string& op, std::string_view words) {
  ASSERT_FALSE(kernel) << op;
  EXPECT_EQ(kernel.error().code, Code::kUnsupported);
  EXPECT_TRUE(kernel.error().text.contains("node 'case' (" + op + ")")) << kernel.error().text;
  EXPECT_TRUE(kernel.error().text.contains(words)) << kernel.error().text;
}

constexpr ElementType kTypes[] = {
    ElementType::kFloat32, ElementType::kUint8,   ElementType::kInt8,   ElementType::kUint16,
    ElementType::kInt16,   ElementType::kInt32,   ElementType::kInt64,  ElementType::kBool,
    ElementType::kFloat16, ElementType::kFloat64, ElementType::kUint32, ElementType::kUint64,
    ElementType::kBfloat16};

TEST(Registry, every_operator_refuses_every_wrong_type_at_every_input) {
  for (const auto& [key, entry] : Registry::instance().all()) {
    const auto& [op, device, type] = key;
    const ElementType output = entry.output == ElementType::kNone ? type : entry.output;
    for (const ElementType wrong : kTypes) {
      if (Registry::instance().find(op, wrong, device) == nullptr) {
        expect_refused(made(op, std::vector(kInputs, wrong), wrong), op, "has no kernel for");
      }
      if (wrong == type || entry.mixed) continue;  // those look themselves
      for (size_t i = 1; i < kInputs; ++i) {
        std::vector<ElementType> inputs(kInputs, type);
        inputs[i] = wrong;
        expect_refused(made(op, inputs, output), op, "input " + std::to_string(i) + " is ");
      }
    }
  }
}

TEST(Registry, every_operator_refuses_to_make_another_type_than_it_does) {
  for (const auto& [key, entry] : Registry::instance().all()) {
    const auto& [op, device, type] = key;
    for (const ElementType wrong : kTypes) {
      if (wrong == entry.output || entry.output == ElementType::kNone) continue;
      expect_refused(made(op, std::vector(kInputs, type), wrong), op, "output 0 is ");
    }
  }
}

TEST(Registry, only_casts_and_what_quantises_make_another_type_and_look_themselves) {
  for (const auto& [key, entry] : Registry::instance().all()) {
    const auto& op = std::get<0>(key);
    EXPECT_EQ(entry.output == ElementType::kNone, op == "Cast" || entry.mixed) << op;
  }
  expect_refused(made("Cast", {ElementType::kFloat32}, ElementType::kFloat16), "Cast",
                 "is not supported");
}

}  // namespace
}  // namespace casemate::engine
