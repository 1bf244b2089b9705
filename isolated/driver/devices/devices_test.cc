// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/devices/devices.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/cut/cut_runner.h"
#include "isolated/driver/devices/plan_over.h"
#include "isolated/driver/devices/report.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/opencl/device/kernel_cache.h"
#include "isolated/driver/opencl/device/kind.h"
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
                            "cpu: 0", "cpu:99999999999", "cpu:0,cpu:0", "cpu:0,cpu:00"})
    EXPECT_EQ(refusal_of(wrong), Code::kInvalid) << wrong;
  EXPECT_EQ(refusal_of("cpu:1"), Code::kNotFound);
  EXPECT_EQ(refusal_of("cuda:0"), Code::kUnsupported);
  EXPECT_EQ(open_devices("cuda:0").error().text,
            "this build has no driver for 'cuda': it has cpu, npu and fake");
}

TEST(Devices, of_this_machine_can_all_be_opened_by_their_names) {
  const auto open = open_devices(all_device_names(), {.memory_bytes = 4 << 20});
  ASSERT_TRUE(open) << open.error().text;
  EXPECT_EQ(open->size(), device_kinds().size());
  for (const OpenDevice& each : *open) EXPECT_EQ(each.kind->name, each.device->kind());
}

TEST(DeviceReport, has_the_types_that_a_device_takes_and_says_that_it_is_well) {
  const auto open = open_devices("cpu:0,npu:0,fake:0", {.memory_bytes = 4 << 20});
  ASSERT_TRUE(open) << open.error().text;
  for (const OpenDevice& each : *open) {
    const DeviceReport report = report_of(*each.device);
    EXPECT_EQ(report.health, Health::kWell) << each.name << ": " << report.reason;
    EXPECT_EQ(report.limits.memory_bytes, each.device->limits().memory_bytes);
    EXPECT_EQ(each.device->state().memory_bytes, 0u) << each.name << ": nothing stays of it";
    using enum ElementType;
    EXPECT_TRUE(std::ranges::contains(report.types, kInt8)) << each.name;
    EXPECT_EQ(std::ranges::contains(report.types, kFloat32), each.name != "npu:0") << each.name;
  }
}

TEST(DeviceReport, of_one_that_fails_or_loses_a_bit_says_so) {
  const auto broken = *make_fake({.fault_at = 1});
  const DeviceReport failed = report_of(*broken);
  EXPECT_EQ(failed.health, Health::kFailed);
  EXPECT_TRUE(failed.reason.contains("command 1")) << failed.reason;
  const auto liar = *make_fake({.lie_at = 2});
  const DeviceReport lied = report_of(*liar);
  EXPECT_EQ(lied.health, Health::kFailed);
  EXPECT_TRUE(lied.reason.contains("came back as others")) << lied.reason;
}

TEST(Devices, of_opencl_are_numbered_by_platform_and_device) {
  add_device_kind(opencl_kind());
  const uint32_t count = opencl_device_count();
  EXPECT_EQ(refusal_of(formatted("opencl:{}", count)), Code::kNotFound);
  if (count == 0) GTEST_SKIP() << kNoOpencl;
  const auto open = open_devices("cpu:0,opencl:0", {.memory_bytes = 8 << 20});
  ASSERT_TRUE(open) << open.error().text;
  EXPECT_EQ((*open)[1].device->kind(), "opencl");
  EXPECT_EQ((*open)[1].device->limits().memory_bytes, 8u << 20);
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
  for (const MeasuredCut* made : {&plan->cut, &*plan->whole}) {
    ASSERT_GE(made->cut.pieces.size(), 1u);
    ASSERT_EQ(made->measured.size(), made->cut.pieces.size());
    for (const PieceTime& took : made->measured) {
      EXPECT_GT(took.run_ns, 0);
      EXPECT_GT(took.copy_ns, 0);
    }
    EXPECT_TRUE(made->cut.text(graph, made->measured).contains(", measured "));
  }
  EXPECT_EQ(plan->whole->cut.devices, std::vector<std::string>{"cpu:0"});
  EXPECT_LT(plan->agreement.difference_max, 1e-5);
  EXPECT_TRUE(plan->refusals[0].empty() && plan->refusals[1].empty()) << "both take all of it";
}

TEST(PlanOver, gives_the_preferred_device_what_it_takes_and_says_why_not_the_rest) {
  engine::Draft d;
  const engine::ValueId x = d.same("Relu", d.same("Tanh", d.input({1, 4, 8, 8})));
  const engine::Graph graph = d.finish({d.same("Tanh", x), x});
  std::vector<OpenDevice> devices;
  devices.push_back({"cpu:0", make_cpu()});
  devices.push_back({"fake:0", *make_fake({.operators = {"Tanh"}})});
  const PlanOverOptions options{.measure = {.rounds = 1}, .rounds = 1, .prefer = "fake:0"};
  const auto plan = plan_over(graph, devices, options);
  ASSERT_TRUE(plan) << plan.error().text;
  ASSERT_EQ(plan->cut.cut.pieces.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(plan->cut.cut.pieces[i].device, i == 1 ? 0u : 1u) << i;
  EXPECT_TRUE(plan->refusals[0].empty());
  ASSERT_EQ(plan->refusals[1].size(), 1u);
  EXPECT_EQ(plan->refusals[1][0].count(), 1u);
  EXPECT_EQ(plan->refusals[1][0].operators.begin()->first, "Relu");
  EXPECT_TRUE(plan->refusals[1][0].why.starts_with("this fake device was made without"))
      << plan->refusals[1][0].why;
}

TEST(PlanOver, prefers_no_device_that_is_not_there) {
  engine::Draft d;
  const engine::Graph graph = d.finish({d.same("Relu", d.input({4}))});
  const auto devices = open_devices("cpu:0", {.memory_bytes = 4 << 20});
  ASSERT_TRUE(devices);
  const auto plan =
      plan_over(graph, *devices, {.measure = {.rounds = 1}, .rounds = 1, .prefer = "npu:0"});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kInvalid);
}

TEST(PlanOver, finds_out_that_a_device_computes_something_else) {
  engine::Draft d;
  const engine::Graph graph = d.finish({d.same("Relu", d.input({4}))});
  std::vector<OpenDevice> devices;
  devices.push_back({"fake:0", *make_fake()});
  const PlanOverOptions options{.measure = {.rounds = 1}, .rounds = 1};
  const auto honest = plan_over(graph, devices, options);
  ASSERT_TRUE(honest) << honest.error().text;
  EXPECT_TRUE(honest->agreement.same_bits);
  const uint64_t commands = devices[0].device->state().commands;
  devices.clear();
  devices.push_back({"fake:0", *make_fake({.lie_at = commands})});  // its last one, a read
  const auto lying = plan_over(graph, devices, options);
  ASSERT_TRUE(lying) << lying.error().text;
  EXPECT_FALSE(lying->agreement.same_bits);
  EXPECT_GT(lying->agreement.difference_max, 0);
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
