// SPDX-License-Identifier: Apache-2.0
// Shapes that nobody compiled for, and those that data decides.
#include "isolated/engine/runner.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace casemate::engine {
namespace {

// A general graph in the making.
struct Draft {
  Graph graph = Graph::unshaped();

  ValueId input(const std::string& name) { return graph.add_input({name, ElementType::kFloat32}); }
  ValueId node(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    Node node{
        .op = op, .name = op, .inputs = std::move(inputs), .attributes = std::move(attributes)};
    node.raw = true;
    return graph.add_node(std::move(node), {{op + "'", ElementType::kNone}});
  }
};

struct Late {
  Compiler compiler{uint64_t{1} << 30};
  Runner runner;
  explicit Late(RunnerLimits limits = {}) : runner(compiler, limits) {}
};

TEST(Runner, goes_on_behind_what_data_decides) {
  Draft d;
  const ValueId where = d.node("NonZero", {d.input("x")});
  d.graph.add_output(d.node("Cast", {d.node("Neg", {where})}, {{"to", int64_t{1}}}));
  Late late;
  for (const size_t hits : {0, 1, 3}) {
    Tensor x = *Tensor::zeros(ElementType::kFloat32, {4});
    for (size_t i = 0; i < hits; ++i) x.values<float>()[3 - i] = 1;
    const auto outputs = late.runner.run(d.graph, {x});
    ASSERT_TRUE(outputs) << outputs.error().text;
    const Tensor& y = *outputs->front().tensor();
    EXPECT_EQ(y.shape(), (Shape{1, static_cast<int64_t>(hits)}));
    for (size_t i = 0; i < hits; ++i)
      EXPECT_EQ(y.values<float>()[i], -static_cast<float>(4 - hits + i));
  }
}

// while (true) {}
Draft endless() {
  Draft body;
  body.graph.add_input({"i", ElementType::kInt64});
  body.graph.add_output(body.graph.add_input({"go", ElementType::kBool}));
  Draft d;
  const ValueId go = d.graph.add_input({"go", ElementType::kBool});
  d.graph.add_output(d.node("Loop", {ValueId{}, go, d.input("x")},
                            {{"body", std::make_shared<const Graph>([&] {
                                body.graph.add_output(
                                    body.graph.add_input({"x", ElementType::kFloat32}));
                                return std::move(body.graph);
                              }())},
                             {"body.captures", std::vector<int64_t>()}}));
  return d;
}

TEST(Runner, refuses_a_loop_that_runs_not_once_and_has_more_outputs_than_its_body) {
  Draft d = endless();
  Node loop = d.graph.nodes().back();
  loop.name = "Loop of too many";
  loop.raw = true;
  d.graph.add_node(std::move(loop), {{"x", ElementType::kNone}, {"scanned", ElementType::kNone}});
  Late late({.steps_max = 1000});
  const auto outputs =
      late.runner.run(d.graph, {Tensor::of<bool>({}, {false}), Tensor::of<float>({}, {1})});
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().code, Code::kInvalid);
  EXPECT_TRUE(outputs.error().text.contains("its body makes 2 outputs, the node needs more"))
      << outputs.error().text;
}

TEST(Runner, ends_a_loop_that_does_not) {
  const Draft d = endless();
  Late late({.steps_max = 1000});
  const auto outputs =
      late.runner.run(d.graph, {Tensor::of<bool>({}, {true}), Tensor::of<float>({}, {1})});
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().code, Code::kTooLarge);
  EXPECT_NE(outputs.error().text.find("does a loop end?"), std::string::npos);
}

TEST(Runner, forgets_the_shapes_that_were_not_used_for_longest) {
  Draft d;
  d.graph.add_output(d.node("Exp", {d.input("x")}));
  Late late({.plans_max = 2});
  for (int round = 0; round < 3; ++round) {
    for (const int64_t size : {1, 2, 3, 4, 5}) {
      const auto outputs =
          late.runner.run(d.graph, {*Tensor::zeros(ElementType::kFloat32, {size})});
      ASSERT_TRUE(outputs) << outputs.error().text;
      EXPECT_EQ(outputs->front().tensor()->shape(), (Shape{size}));
      EXPECT_EQ(outputs->front().tensor()->values<float>()[0], 1);
    }
  }
}

TEST(Runner, keeps_no_more_plans_than_their_packed_weights_leave_room_for) {
  constexpr uint64_t kMemory = 4 << 20;
  Draft d;
  const ValueId x = d.input("x");
  const ValueId w =
      d.graph.add_constant("w", *Tensor::zeros(ElementType::kFloat32, {512, 256}));  // 512 KiB
  d.graph.add_output(d.node("MatMul", {x, w}));
  Late late({.memory_bytes_max = kMemory});
  for (int64_t rows = 1; rows <= 12; ++rows) {
    const auto outputs =
        late.runner.run(d.graph, {*Tensor::zeros(ElementType::kFloat32, {rows, 512})});
    ASSERT_TRUE(outputs) << outputs.error().text;
    EXPECT_GE(late.runner.plan_bytes(), 512u << 10) << "otherwise this proves nothing";
    EXPECT_LE(late.runner.plan_bytes(), kMemory / 2);
  }
}

TEST(Runner, refuses_what_would_need_more_memory_than_allowed) {
  Draft d;
  d.graph.add_output(d.node("Exp", {d.input("x")}));
  Late late({.memory_bytes_max = 1024});
  const auto outputs = late.runner.run(d.graph, {*Tensor::zeros(ElementType::kFloat32, {1000})});
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().code, Code::kTooLarge);
}

TEST(Runner, names_the_node_that_fails_on_data) {
  Draft d;
  const ValueId picked =
      d.node("Gather", {d.input("x"), d.graph.add_input({"i", ElementType::kInt64})});
  d.graph.add_output(picked);
  Late late;
  const auto outputs = late.runner.run(
      d.graph, {*Tensor::zeros(ElementType::kFloat32, {3}), Tensor::of<int64_t>({1}, {1ll << 40})});
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(outputs.error().text.starts_with("node 'Gather' (Gather): ")) << outputs.error().text;
}

TEST(Runner, gives_every_run_its_own_steps) {
  Draft d;
  d.graph.add_output(d.node("Exp", {d.input("x")}));
  Late late({.steps_max = 3});
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(late.runner.run(d.graph, {*Tensor::zeros(ElementType::kFloat32, {2})})) << i;
}

TEST(Runner, drops_plans_of_what_is_left_with_the_plan_before_them) {
  Draft d;
  d.graph.add_output(d.node("Neg", {d.node("NonZero", {d.input("x")})}));
  Late late({.plans_max = 2});
  uint64_t most = 0;
  for (int64_t size = 1; size <= 40; ++size) {
    Tensor x = *Tensor::zeros(ElementType::kFloat32, {size});
    x.values<float>()[0] = 1;
    const auto outputs = late.runner.run(d.graph, {x});
    ASSERT_TRUE(outputs) << outputs.error().text;
    EXPECT_EQ(outputs->front().tensor()->shape(), (Shape{1, 1}));
    if (size <= 4) most = std::max(most, late.runner.plan_bytes());
    EXPECT_LE(late.runner.plan_bytes(), most) << size;
  }
}

TEST(Runner, runs_what_data_decides_again_and_again) {
  constexpr int kTimes = 1000;
  Draft d;
  ValueId x = d.input("x");
  for (int i = 0; i < kTimes; ++i) x = d.node("NonZero", {x});
  d.graph.add_output(x);
  Late late({.memory_bytes_max = 64 << 20});  // a plan for each, with all behind it, takes 500 MB
  const auto outputs = late.runner.run(d.graph, {Tensor::of<float>({2}, {0, 1})});
  ASSERT_TRUE(outputs) << outputs.error().text;
  EXPECT_EQ(outputs->front().tensor()->shape().rank(), 2u);
}

TEST(Runner, counts_all_that_a_run_holds) {
  constexpr int64_t kCount = 1 << 17;  // 1 MiB of INT64
  Draft d;
  const ValueId end = d.graph.add_input({"end", ElementType::kInt64});
  const ValueId zero = d.graph.add_constant("zero", Tensor::of<int64_t>({}, {0}));
  const ValueId one = d.graph.add_constant("one", Tensor::of<int64_t>({}, {1}));
  for (int i = 0; i < 8; ++i) d.graph.add_output(d.node("Range", {zero, end, one}));
  Late late({.memory_bytes_max = 4 << 20});
  const auto outputs = late.runner.run(d.graph, {Tensor::of<int64_t>({}, {kCount})});
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().code, Code::kTooLarge);
  EXPECT_TRUE(outputs.error().text.starts_with("node 'Range' (Range): ")) << outputs.error().text;
  EXPECT_TRUE(late.runner.run(d.graph, {Tensor::of<int64_t>({}, {kCount / 4})}))
      << "what a run held before is given back";
}

// A loop without end that makes 64 KiB each time, and keeps them in what it carries or scans.
Draft hoarder(bool in_a_sequence) {
  Draft body;
  body.graph.add_input({"i", ElementType::kInt64});
  body.graph.add_output(body.graph.add_input({"go", ElementType::kBool}));
  const ValueId carried = body.graph.add_input({"x", ElementType::kNone});
  const ValueId shape = body.graph.add_constant("shape", Tensor::of<int64_t>({1}, {1 << 14}));
  const ValueId made = body.node("ConstantOfShape", {shape});
  body.graph.add_output(in_a_sequence ? body.node("SequenceInsert", {carried, made}) : carried);
  if (!in_a_sequence) body.graph.add_output(made);
  Draft d;
  const ValueId go = d.graph.add_input({"go", ElementType::kBool});
  const ValueId first = in_a_sequence ? d.node("SequenceEmpty", {}) : d.input("x");
  Node loop{.op = "Loop",
            .name = "Loop",
            .inputs = {ValueId{}, go, first},
            .attributes = {{"body", std::make_shared<const Graph>(std::move(body.graph))},
                           {"body.captures", std::vector<int64_t>()}}};
  loop.raw = true;
  std::vector<Made> results = {{"carried", ElementType::kNone}};
  if (!in_a_sequence) results.push_back({"", ElementType::kNone});
  d.graph.add_node(std::move(loop), std::move(results));
  d.graph.add_output(d.graph.nodes().back().outputs[0]);
  return d;
}

TEST(Runner, ends_a_loop_that_hoards) {
  for (const bool in_a_sequence : {false, true}) {
    const Draft d = hoarder(in_a_sequence);
    Late late({.memory_bytes_max = 16 << 20, .steps_max = 3000});  // 3000 of 64 KiB: 190 MiB
    std::vector<Datum> inputs = {Tensor::of<bool>({}, {true})};
    if (!in_a_sequence) inputs.emplace_back(Tensor::of<float>({}, {1}));
    const auto outputs = late.runner.run(d.graph, inputs);
    ASSERT_FALSE(outputs);
    EXPECT_EQ(outputs.error().code, Code::kTooLarge);
    EXPECT_NE(outputs.error().text.find("pass the limit"), std::string::npos)
        << outputs.error().text;
  }
}

}  // namespace
}  // namespace casemate::engine
