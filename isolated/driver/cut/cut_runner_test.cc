// SPDX-License-Identifier: Apache-2.0
// Graphs that are measured, cut and run on real devices, beside the same graphs as a whole.
#include "isolated/driver/cut/cut_runner.h"

#include <nlohmann/json.hpp>
#include <set>

#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/opencl/device/kernel_cache.h"

namespace casemate::driver {
namespace {

engine::ValueId pool(engine::Draft& d, engine::ValueId x, int64_t extent) {
  Shape shape = d.graph.value(x).shapes[0];
  shape[2] = shape[3] = extent;
  return d.node("MaxPool", {x}, shape,
                {{"kernel_shape", engine::Ints{2, 2}},
                 {"strides", engine::Ints{2, 2}},
                 {"pads", engine::Ints{0, 0, 0, 0}},
                 {"dilations", engine::Ints{1, 1}}});
}

// Two convolutions, pools and products, as LeNet has them.
engine::Graph lenet() {
  engine::Draft d;
  const engine::ValueId c1 = d.same("Relu", d.convolution(d.input({1, 1, 12, 12}), 6, true));
  const engine::ValueId c2 = d.same("Relu", d.convolution(pool(d, c1, 6), 8, true));
  const engine::ValueId flat = d.node("Reshape", {pool(d, c2, 3)}, {1, 72});
  const engine::Attributes plain = {{"transA", int64_t{0}}, {"transB", int64_t{0}}};
  const engine::ValueId f1 =
      d.same("Relu", d.node("Gemm", {flat, d.weights({72, 20}), d.weights({20})}, {1, 20}, plain));
  const engine::ValueId f2 =
      d.node("Gemm", {f1, d.weights({20, 10}), d.weights({10})}, {1, 10}, plain);
  return d.finish({d.node("Softmax", {f2}, {1, 10}, {{"axis", int64_t{1}}})});
}

// Branches that part and meet, a residual across them, two results.
engine::Graph branches() {
  engine::Draft d;
  const engine::ValueId x = d.same("Relu", d.convolution(d.input({1, 4, 8, 8}), 4));
  const engine::ValueId a = d.same("Tanh", d.convolution(x, 4));
  const engine::ValueId b = d.same("Sigmoid", d.pointwise(x, 4));
  const engine::ValueId sum = d.add(d.add(a, b), x);
  const engine::ValueId joined = d.concat({sum, b});
  return d.finish({d.same("Relu", d.convolution(joined, 3)), a});
}

struct TwoDevices {
  explicit TwoDevices(const std::vector<std::string>& operators, const FakeOptions& given = {}) {
    FakeOptions options = given;
    options.operators = operators;
    cpu = make_cpu({.memory_bytes = 64 << 20});
    fake = *make_fake(options);
  }
  [[nodiscard]] std::vector<Device*> all() const { return {cpu.get(), fake.get()}; }
  // The fake device and all copies cost nothing, so that it is given all that it takes.
  [[nodiscard]] Result<Cut> cut(const engine::Graph& graph) const {
    const Costs dear{.nodes = {{.op = "Relu", .form = "any", .work = 1, .ns = 1}}};
    return make_cut(
        graph, {candidate("cpu:0", *cpu, dear, graph), candidate("fake:0", *fake, Costs{}, graph)});
  }

  std::unique_ptr<Device> cpu;
  std::unique_ptr<Device> fake;
};

Status run_cut(CutRunner& runner, const std::vector<ByteList>& inputs,
               std::vector<ByteList>& outputs, Instant deadline) {
  const std::vector<Bytes> from(inputs.begin(), inputs.end());
  const std::vector<MutableBytes> to(outputs.begin(), outputs.end());
  return runner.run(from, to, deadline);
}

// Each operator in turn is taken by the fake device, the rest by the processor.
void compare_cuts(const engine::Graph& graph) {
  const auto inputs = inputs_for(graph);
  const auto wanted = reference(graph, inputs);
  std::set<std::string> operators;
  for (const engine::Node& node : graph.nodes()) operators.insert(node.op);
  size_t pieces_most = 0;
  for (const std::string& op : operators) {
    SCOPED_TRACE(op);
    const TwoDevices devices({op});
    const auto cut = devices.cut(graph);
    ASSERT_TRUE(cut) << cut.error().text;
    pieces_most = std::max(pieces_most, cut->pieces.size());
    for (const CutPiece& piece : cut->pieces) {
      for (const size_t node : piece.nodes)
        EXPECT_EQ(piece.device == 1, graph.nodes()[node].op == op) << cut->text(graph);
    }
    {
      auto runner = CutRunner::make(graph, *cut, devices.all());
      ASSERT_TRUE(runner) << runner.error().text;
      for (int round = 0; round < 2; ++round) {
        std::vector<ByteList> got;
        for (const ByteList& each : wanted) got.emplace_back(each.size());
        const Status done = run_cut(*runner, inputs, got, in_the_end());
        ASSERT_TRUE(done) << done.error().text;
        expect_near(got, wanted);
        EXPECT_EQ(runner->measured().size(), cut->pieces.size());
      }
    }
    EXPECT_EQ(devices.cpu->state().memory_bytes + devices.fake->state().memory_bytes, 0u);
  }
  EXPECT_GE(pieces_most, 3u) << "some of these cuts are worth the name";
}

TEST(CutRunner, computes_what_the_whole_of_a_small_lenet_computes) { compare_cuts(lenet()); }
TEST(CutRunner, computes_what_the_whole_of_a_graph_with_branches_computes) {
  compare_cuts(branches());
}

// Measured on the processor and an OpenCL device, cut between them as the costs say, and run there
// and on the second alone.
TEST(CutRunner, computes_the_same_over_a_processor_and_an_opencl_device) {
  if (opencl_device_count() == 0) GTEST_SKIP() << kNoOpencl;
  for (const engine::Graph& graph : {lenet(), branches()}) {
    const auto cpu = make_cpu({.memory_bytes = 64 << 20});
    const auto opencl = *make_opencl({.memory_bytes = 64 << 20});
    const auto inputs = inputs_for(graph);
    const auto wanted = reference(graph, inputs);
    const auto slow = measure(*cpu, graph, {.rounds = 1});
    const auto fast = measure(*opencl, graph, {.rounds = 1});
    ASSERT_TRUE(slow && fast);
    EXPECT_TRUE(fast->refused.empty()) << fast->text();
    EXPECT_GT(fast->run_ns, 0);
    // Costs as measured; and as if all that the device does were free.
    for (const Costs& costs : {*fast, Costs{}}) {
      const auto cut = make_cut(graph, {candidate("cpu:0", *cpu, *slow, graph),
                                        candidate("opencl:0", *opencl, costs, graph)});
      ASSERT_TRUE(cut) << cut.error().text;
      auto runner = CutRunner::make(graph, *cut, {cpu.get(), opencl.get()});
      ASSERT_TRUE(runner) << runner.error().text;
      std::vector<ByteList> got;
      for (const ByteList& each : wanted) got.emplace_back(each.size());
      const Status done = run_cut(*runner, inputs, got, in_the_end());
      ASSERT_TRUE(done) << done.error().text;
      expect_near(got, wanted);
    }
    EXPECT_EQ(opencl->state().memory_bytes, 0u);
  }
}

TEST(CutRunner, passes_inputs_and_constants_through_where_no_node_makes_an_output) {
  engine::Draft d;
  const engine::ValueId x = d.input({3});
  const engine::ValueId w = d.weights({2});
  const engine::Graph graph = d.finish({x, w, d.same("Relu", x)});
  const TwoDevices devices({});
  const auto cut = devices.cut(graph);
  ASSERT_TRUE(cut);
  auto runner = CutRunner::make(graph, *cut, devices.all());
  ASSERT_TRUE(runner) << runner.error().text;
  const auto inputs = inputs_for(graph);
  std::vector<ByteList> got = {ByteList(12), ByteList(8), ByteList(12)};
  ASSERT_TRUE(run_cut(*runner, inputs, got, in_the_end()));
  expect_near(got, reference(graph, inputs));
}

TEST(CutRunner, says_which_piece_and_device_failed_and_runs_again_when_that_was_reset) {
  const engine::Graph graph = branches();
  const TwoDevices devices({"Concat"}, {.fault_at = 3});
  const auto cut = devices.cut(graph);
  ASSERT_TRUE(cut);
  const auto inputs = inputs_for(graph);
  const auto wanted = reference(graph, inputs);
  std::vector<ByteList> got = {ByteList(wanted[0].size()), ByteList(wanted[1].size())};
  {
    auto runner = CutRunner::make(graph, *cut, devices.all());
    ASSERT_TRUE(runner) << runner.error().text;
    for (int i = 0; i < 2; ++i) {
      const Status done = run_cut(*runner, inputs, got, in_the_end());
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, Code::kPlatform);
      EXPECT_TRUE(done.error().text.contains(" on fake:0: ")) << done.error().text;
    }
    ASSERT_TRUE(devices.fake->reset(in_the_end()));
    EXPECT_FALSE(run_cut(*runner, inputs, got, in_the_end())) << "what it had is gone";
  }
  auto runner = CutRunner::make(graph, *cut, devices.all());
  ASSERT_TRUE(runner) << runner.error().text;
  ASSERT_TRUE(run_cut(*runner, inputs, got, in_the_end()));
  expect_near(got, wanted);
}

TEST(CutRunner, ends_at_its_deadline_when_a_device_hangs) {
  const engine::Graph graph = branches();
  const TwoDevices devices({"Concat"}, {.hang_at = 3});
  const auto cut = devices.cut(graph);
  ASSERT_TRUE(cut);
  auto runner = CutRunner::make(graph, *cut, devices.all());
  ASSERT_TRUE(runner);
  const auto inputs = inputs_for(graph);
  std::vector<ByteList> got = {ByteList(3 * 64 * 4), ByteList(4 * 64 * 4)};
  const Status done =
      run_cut(*runner, inputs, got, system_clock().now() + std::chrono::milliseconds(200));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kTimedOut);
  EXPECT_TRUE(done.error().text.contains(" on fake:0: ")) << done.error().text;
}

TEST(CutRunner, refuses_memory_of_the_wrong_size) {
  const engine::Graph graph = lenet();
  const TwoDevices devices({"Relu"});
  auto runner = CutRunner::make(graph, *devices.cut(graph), devices.all());
  ASSERT_TRUE(runner);
  std::vector<ByteList> got = {ByteList(40)};
  EXPECT_EQ(run_cut(*runner, {ByteList(575)}, got, in_the_end()).error().code, Code::kInvalid);
  EXPECT_EQ(run_cut(*runner, {}, got, in_the_end()).error().code, Code::kInvalid);
  got[0].resize(39);
  EXPECT_EQ(run_cut(*runner, {ByteList(576)}, got, in_the_end()).error().code, Code::kInvalid);
}

TEST(Measure, has_a_number_for_each_distinct_node_and_a_reason_for_each_that_is_not_taken) {
  const engine::Graph graph = branches();
  const TwoDevices devices({"Relu", "Conv"});
  const auto cpu = measure(*devices.cpu, graph, {.rounds = 2});
  const auto fake = measure(*devices.fake, graph, {.rounds = 2});
  ASSERT_TRUE(cpu && fake);
  std::set<std::string> forms;
  for (const engine::Node& node : graph.nodes()) forms.insert(form_of(graph, node));
  EXPECT_LT(forms.size(), graph.nodes().size()) << "two sums have one form";
  EXPECT_EQ(cpu->nodes.size(), forms.size());
  EXPECT_TRUE(cpu->refused.empty());
  EXPECT_EQ(fake->nodes.size() + fake->refused.size(), forms.size());
  for (const engine::Node& node : graph.nodes())
    EXPECT_EQ(fake->takes(graph, node), node.op == "Relu" || node.op == "Conv") << node.op;
  EXPECT_GT(cpu->run_ns, 0);
  EXPECT_GT(cpu->copy_ns, 0);
  EXPECT_GT(fake->write_ns_per_byte, 0);
  EXPECT_EQ(devices.cpu->state().memory_bytes, 0u);
  EXPECT_TRUE(fake->text().contains("refused  Tanh FP32[1,4,8,8] -> ")) << fake->text();
  const auto json = nlohmann::json::parse(cpu->json());
  EXPECT_EQ(json["nodes"].size(), forms.size());
}

TEST(CutText, has_a_line_for_each_piece_with_what_was_predicted_and_measured) {
  const engine::Graph graph = branches();
  const TwoDevices devices({"Concat"});
  const auto cut = devices.cut(graph);
  ASSERT_TRUE(cut);
  const std::vector<PieceTime> measured(cut->pieces.size(), {.run_ns = 2e6, .copy_ns = 3e6});
  const std::string text = cut->text(graph, measured);
  EXPECT_TRUE(text.contains("fake:0")) << text;
  EXPECT_TRUE(text.contains("     2.0000  ")) << text;
  EXPECT_TRUE(text.contains("     3.0000  ")) << text;
  EXPECT_TRUE(text.contains("  3 Conv, 2 Add, 1 Relu, 1 Sigmoid, ...\n")) << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<ptrdiff_t>(cut->pieces.size()) + 3);
  EXPECT_FALSE(cut->text(graph).contains("measured"));
  const auto json = nlohmann::json::parse(cut->json(graph, measured));
  ASSERT_EQ(json["pieces"].size(), cut->pieces.size());
  EXPECT_EQ(json["pieces"][0]["device"], "cpu:0");
  EXPECT_EQ(json["pieces"][0]["measured_run_ns"], 2e6);
  EXPECT_EQ(json["pieces"][0]["measured_copy_ns"], 3e6);
  EXPECT_EQ(json["pieces"][1]["operators"]["Concat"], 1);
  EXPECT_FALSE(nlohmann::json::parse(cut->json(graph))["pieces"][0].contains("measured_run_ns"));
}

}  // namespace
}  // namespace casemate::driver
