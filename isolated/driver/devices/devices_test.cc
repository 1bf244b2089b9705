// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/devices/devices.h"

#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/cut/cut_runner.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/engine/passes/quantised_graphs.h"

namespace casemate::driver {
namespace {

Code refusal_of(std::string_view names) {
  const auto open = open_devices(names);
  return open ? Code::kOk : open.error().code;
}

TEST(Devices, are_opened_by_name_in_the_order_named) {
  const auto open = open_devices("fake:0,cpu:0,npu:0", {.memory_bytes = 4 << 20});
  ASSERT_TRUE(open) << open.error().text;
  ASSERT_EQ(open->size(), 3u);
  EXPECT_EQ((*open)[0].name, "fake:0");
  EXPECT_EQ((*open)[0].device->kind(), "fake");
  EXPECT_EQ((*open)[1].device->kind(), "cpu");
  EXPECT_EQ((*open)[1].device->limits().memory_bytes, 4u << 20);
  EXPECT_EQ((*open)[2].device->kind(), "npu");
  EXPECT_EQ((*open)[2].device->limits().memory_bytes, 64u << 20) << "a memory of its own";
}

TEST(Devices, that_are_none_are_refused_with_what_there_is) {
  for (const char* wrong : {"", "cpu", "cpu:", ":0", "cpu:0,", ",cpu:0", "cpu:-1", "cpu:0x",
                            "cpu: 0", "cpu:99999999999", "cpu:0,cpu:0"})
    EXPECT_EQ(refusal_of(wrong), Code::kInvalid) << wrong;
  EXPECT_EQ(refusal_of("cpu:1"), Code::kNotFound);
  EXPECT_EQ(refusal_of("cuda:0"), Code::kUnsupported);
  EXPECT_EQ(open_devices("cuda:0").error().text,
            "this build has no driver for 'cuda': it has cpu, fake and npu");
}

TEST(PlanOver, has_the_costs_of_each_device_and_a_time_for_each_piece) {
  engine::Draft d;
  const engine::ValueId x = d.same("Relu", d.convolution(d.input({1, 4, 8, 8}), 8));
  const engine::Graph graph = d.finish({d.same("Tanh", x)});
  const auto devices = open_devices("cpu:0,fake:0", {.memory_bytes = 32 << 20});
  ASSERT_TRUE(devices);
  const auto plan = plan_over(graph, *devices, {.measure = {.rounds = 1}, .rounds = 2});
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->costs.size(), 2u);
  EXPECT_EQ(plan->costs[0].nodes.size(), 3u);
  ASSERT_GE(plan->cut.pieces.size(), 1u);
  ASSERT_EQ(plan->measured_ns.size(), plan->cut.pieces.size());
  for (const double ns : plan->measured_ns) EXPECT_GT(ns, 0);
  EXPECT_TRUE(plan->cut.text(graph, plan->measured_ns).contains(", measured "));
}

TEST(PlanOver, says_which_device_failed) {
  engine::Draft d;
  const engine::Graph graph = d.finish({d.same("Relu", d.input({4}))});
  std::vector<OpenDevice> devices;
  devices.push_back({"fake:7", *make_fake({.fault_at = 2})});
  const auto plan = plan_over(graph, devices);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kPlatform);
  EXPECT_TRUE(plan.error().text.starts_with("fake:7: ")) << plan.error().text;
}

// Reals made bytes, convolved in integers and made real again, twice. Sums are results, too.
engine::Graph quantised_graph() {
  engine::QuantisedDraft d;
  std::vector<engine::ValueId> results;
  engine::ValueId x = d.input({1, 3, 8, 8});
  for (const char* weights : {"w1", "w2"}) {
    const engine::ValueId bytes = d.quantise(x, {});
    const int64_t channels = d.graph.value(x).shapes[0][1];
    const engine::ValueId w =
        constant_bytes(d, weights, ElementType::kInt8, {channels + 2, channels, 3, 3}, 7);
    Shape to = d.graph.value(x).shapes[0];
    to[1] = channels + 2;
    results.push_back(d.typed("ConvInteger", {bytes, w, d.zero_of({})}, to, ElementType::kInt32,
                              {{"kernel_shape", engine::Ints{3, 3}},
                               {"pads", engine::Ints{1, 1, 1, 1}},
                               {"strides", engine::Ints{1, 1}},
                               {"dilations", engine::Ints{1, 1}}}));
    const engine::ValueId real = d.typed("Cast", {results.back()}, to, ElementType::kFloat32);
    x = d.same("Relu", d.node("Mul", {real, d.scale_of({.scale = 1e-4F})}, to));
  }
  results.push_back(x);
  return d.finish(results);
}

TEST(Devices, run_the_integers_of_a_graph_on_one_and_the_rest_on_the_other_to_the_same_bits) {
  const engine::Graph graph = quantised_graph();
  const auto open = open_devices("cpu:0,npu:0", {.memory_bytes = 32 << 20});
  ASSERT_TRUE(open) << open.error().text;
  Device& cpu = *(*open)[0].device;
  Device& npu = *(*open)[1].device;
  // The accelerator and all copies cost nothing, so that it is given all that it takes.
  const Costs dear{.nodes = {{.op = "Relu", .form = "any", .work = 1, .ns = 1}}};
  const auto cut = make_cut(
      graph, {candidate("cpu:0", cpu, dear, graph), candidate("npu:0", npu, Costs{}, graph)});
  ASSERT_TRUE(cut) << cut.error().text;
  EXPECT_EQ(cut->pieces.size(), 5u) << cut->text(graph);
  for (const CutPiece& piece : cut->pieces) {
    for (const size_t node : piece.nodes)
      EXPECT_EQ(piece.device == 1, graph.nodes()[node].op == "ConvInteger") << cut->text(graph);
  }
  const auto inputs = inputs_for(graph);
  const auto whole = run_on(cpu, graph, inputs);
  ASSERT_TRUE(whole) << whole.error().text;
  auto runner = CutRunner::make(graph, *cut, {&cpu, &npu});
  ASSERT_TRUE(runner) << runner.error().text;
  std::vector<ByteList> got;
  for (const ByteList& each : *whole) got.emplace_back(each.size());
  const std::vector<Bytes> from(inputs.begin(), inputs.end());
  const std::vector<MutableBytes> to(got.begin(), got.end());
  const Status done = runner->run(from, to, in_the_end());
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(got, *whole);
  expect_results(graph, got, reference(graph, inputs));
}

}  // namespace
}  // namespace casemate::driver
