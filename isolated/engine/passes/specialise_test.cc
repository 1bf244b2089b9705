// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/specialise.h"

#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

// A general graph in the making.
struct Draft {
  Graph graph = Graph::unshaped();

  ValueId input(const std::string& name) { return graph.add_input({name, ElementType::kFloat32}); }
  ValueId constant(Tensor tensor) { return graph.add_constant("c", std::move(tensor)); }
  ValueId node(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    Node node{
        .op = op, .name = op, .inputs = std::move(inputs), .attributes = std::move(attributes)};
    node.raw = true;
    return graph.add_node(std::move(node), {{op + "'", ElementType::kNone}});
  }
};

Fact floats(const Shape& shape) { return Fact::of(ElementType::kFloat32, shape); }

const Tensor* constant_of(const Specialised& made, ValueId id) {
  const auto& datum = made.known[id.index].datum;
  return datum ? datum->tensor() : nullptr;
}

TEST(Specialise, gives_what_is_computed_its_shape) {
  Draft d;
  const ValueId y = d.node("Exp", {d.input("x")});
  Derivations derivations;
  for (const Shape& shape : {Shape{2, 3}, Shape{}, Shape{0, 4}}) {
    const auto made = specialise(d.graph, {floats(shape)}, derivations);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->graph.value(made->known[y.index].id).shapes.front(), shape);
    EXPECT_EQ(made->graph.nodes().size(), 1u);
  }
}

TEST(Specialise, computes_constants_once_for_all_shapes) {
  Draft d;
  d.input("x");
  const ValueId y = d.node("Neg", {d.constant(Tensor::of<float>({2}, {1, -2}))});
  Derivations derivations;
  const auto first = specialise(d.graph, {floats({1})}, derivations);
  const auto second = specialise(d.graph, {floats({2})}, derivations);
  ASSERT_TRUE(first && second);
  ASSERT_NE(constant_of(*first, y), nullptr);
  EXPECT_EQ(constant_of(*first, y)->values<float>()[1], 2);
  EXPECT_TRUE(constant_of(*first, y)->shares_with(*constant_of(*second, y)));
  EXPECT_TRUE(first->graph.nodes().empty());
}

// Each output of a node is allowed for itself, and what they take together counts.
TEST(Specialise, folds_no_more_than_it_may_however_many_outputs_a_node_has) {
  constexpr uint64_t kMemory = 1 << 20;
  Draft d;
  d.input("x");
  const auto top = [&](int64_t count) {
    const ValueId x = d.constant(*Tensor::zeros(ElementType::kFloat32, {count}));
    const ValueId k = d.constant(Tensor::of<int64_t>({1}, {count}));
    Node node{.op = "TopK", .name = "TopK", .inputs = {x, k}};
    node.raw = true;
    d.graph.add_node(std::move(node), {{"v", ElementType::kNone}, {"i", ElementType::kNone}});
  };
  // Values are as large as what is there already, places twice as large.
  top(40000);
  top(40000);
  top(60000);  // its places alone would still fit
  d.node("ConstantOfShape", {d.constant(Tensor::of<int64_t>({1}, {10'000'000}))});
  Derivations derivations;
  const auto made = specialise(d.graph, {floats({1})}, derivations, kMemory);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kTooLarge);
  EXPECT_TRUE(made.error().text.starts_with("node 'ConstantOfShape'")) << made.error().text;
}

TEST(Specialise, keeps_nothing_that_it_computes_once_frozen) {
  Draft d;
  const ValueId y = d.node("Neg", {d.constant(Tensor::of<float>({1}, {1}))});
  Derivations derivations;
  derivations.freeze();
  const auto first = specialise(d.graph, {}, derivations);
  const auto second = specialise(d.graph, {}, derivations);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(constant_of(*first, y)->shares_with(*constant_of(*second, y)));
}

// if (c) Neg(x) else Exp(x)
struct Choice : Draft {
  Choice() {
    condition = input("c");
    const ValueId x = input("x");
    Attributes attributes;
    for (const auto& [name, op] : {std::pair("then_branch", "Neg"), {"else_branch", "Exp"}}) {
      Draft branch;
      branch.graph.add_output(branch.node(op, {branch.input("x")}));
      attributes.set(name, std::make_shared<const Graph>(std::move(branch.graph)));
      attributes.set(std::string(name) + ".captures", std::vector<int64_t>{1});
    }
    chosen = node("If", {condition, x}, attributes);
    after = node("Abs", {chosen});
  }
  ValueId condition, chosen, after;
};

TEST(Specialise, puts_off_what_data_decides_and_all_behind_it) {
  Choice choice;
  Derivations derivations;
  const auto made =
      specialise(choice.graph, {Fact::of(ElementType::kBool, {}), floats({4})}, derivations);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->put_off, (std::vector<size_t>{0, 1}));
  EXPECT_FALSE(made->has(choice.after));
}

TEST(Specialise, takes_the_branch_whose_condition_is_constant) {
  Choice choice;
  choice.graph.value(choice.condition).constant = Tensor::of<bool>({}, {false});
  Derivations derivations;
  const auto made =
      specialise(choice.graph, {Fact::of(ElementType::kBool, {}), floats({4})}, derivations);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_TRUE(made->put_off.empty());
  ASSERT_EQ(made->graph.nodes().size(), 2u);
  EXPECT_EQ(made->graph.nodes()[0].op, "Exp");
}

TEST(Specialise, names_the_node_that_cannot_be) {
  Draft d;
  d.node("Exp", {d.input("x")});
  Derivations derivations;
  const auto made = specialise(d.graph, {Fact::of(ElementType::kInt64, {})}, derivations);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().text, "node 'Exp' (Exp): it is not defined for tensors of INT64");
}

}  // namespace
}  // namespace casemate::engine
