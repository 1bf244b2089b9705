// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu_device/npu_device.h"

#include <set>

#include "isolated/driver/conformance/pieces.h"

namespace casemate::driver {
namespace {

using engine::Attributes;
using engine::Draft;
using engine::Graph;
using engine::Ints;
using engine::ValueId;
using enum ElementType;

constexpr uint64_t kMemory = 2 << 20;

std::unique_ptr<Device> small_npu() { return *make_npu({.memory_bytes = kMemory}); }

Status taken(const Device& device, const Graph& graph) {
  for (const engine::Node& node : graph.nodes()) TRY(device.takes(graph, node));
  return {};
}

std::string refusal_of(const Graph& graph, const NpuOptions& options = {.memory_bytes = kMemory}) {
  const Status status = taken(**make_npu(options), graph);
  EXPECT_TRUE(status || status.error().code == Code::kUnsupported);
  return status ? "" : status.error().text;
}

// What is refused is refused by takes(); what is not computes the same bits as the operator.
void expect_exact(const Graph& graph) {
  const auto device = small_npu();
  const Status status = taken(*device, graph);
  ASSERT_TRUE(status) << status.error().text;
  const auto inputs = inputs_for(graph);
  const auto got = run_on(*device, graph, inputs);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(*got, reference(graph, inputs));
}

struct Convolved {
  ElementType type = kUint8;
  Shape image{1, 3, 7, 7};
  Shape kernel{4, 3, 3, 3};
  Shape result{1, 4, 5, 5};
  Attributes attributes = {};
  int64_t weight_zeros = 0;
};

Graph convolved(const Convolved& c) {
  Draft d;
  const ValueId x = d.graph.add_input({"x", c.type, {c.image}});
  const ValueId w = constant_bytes(d, "w", kUint8, c.kernel, 9);
  const ValueId zero = constant_bytes(d, "zero", c.type, {}, 100);
  std::vector<ValueId> inputs = {x, w, zero};
  if (c.weight_zeros > 0)
    inputs.push_back(constant_bytes(d, "zeros", kUint8, Shape{c.weight_zeros}, 60));
  engine::Node node{
      .op = "ConvInteger", .name = "conv", .inputs = inputs, .attributes = c.attributes};
  node.raw = true;
  return d.finish({d.graph.add_node(std::move(node), {{"y", kInt32, {c.result}}})});
}

Graph multiplied(const Shape& rows, const Shape& matrix, const Shape& result) {
  Draft d;
  const ValueId x = d.graph.add_input({"x", kUint8, {rows}});
  const ValueId w = constant_bytes(d, "w", kInt8, matrix, 3);
  return d.finish({d.graph.add_node({.op = "MatMulInteger", .name = "product", .inputs = {x, w}},
                                    {{"y", kInt32, {result}}})});
}

TEST(NpuDevice, computes_the_bits_of_integer_convolutions_of_any_form_that_it_takes) {
  expect_exact(convolved({}));
  expect_exact(convolved({.type = kInt8, .weight_zeros = 1}));
  expect_exact(convolved({.weight_zeros = 4}));
  expect_exact(convolved({.image = {2, 17, 9}, .kernel = {18, 17, 2}, .result = {2, 18, 8}}));
  expect_exact(convolved(
      {.result = {1, 4, 4, 2},
       .attributes = {
           {"pads", Ints{2, 0, 1, 1}}, {"strides", Ints{2, 2}}, {"dilations", Ints{1, 2}}}}));
}

TEST(NpuDevice, computes_the_bits_of_integer_products_of_rows_by_a_matrix) {
  expect_exact(multiplied({2, 3, 20}, {20, 7}, {2, 3, 7}));
  expect_exact(multiplied({20}, {20, 7}, {7}));
  expect_exact(multiplied({5, 20}, {20}, {5}));
}

// Bytes to bytes: `image` by `kernel` as a convolution, or as a product where both are matrices.
struct Requantised {
  ElementType type = kUint8;
  ElementType result = kUint8;
  Shape image{1, 3, 7, 7};
  Shape kernel{4, 3, 3, 3};
  Shape made{1, 4, 5, 5};
  int64_t scales = 1;
  bool bias = false;
};

Graph requantised(const Requantised& r) {
  Draft d;
  const bool product = r.image.rank() == 2;
  const auto scale = [&](const char* name, const Shape& shape, float first) {
    engine::Tensor tensor = *engine::Tensor::zeros(kFloat32, shape);
    for (size_t i = 0; i < tensor.count(); ++i)
      tensor.values<float>()[i] = first * static_cast<float>(1 + i % 3);
    return d.graph.add_constant(name, std::move(tensor));
  };
  const Shape each = r.scales == 1 ? Shape{} : Shape{r.scales};
  const ValueId x = d.graph.add_input({"x", r.type, {r.image}});
  std::vector<ValueId> inputs = {x,
                                 scale("x scale", {}, 0.02F),
                                 constant_bytes(d, "x zero", r.type, {}, 120),
                                 constant_bytes(d, "w", kInt8, r.kernel, 9),
                                 scale("w scale", each, 0.003F),
                                 constant_bytes(d, "w zero", kInt8, {}, 5),
                                 scale("y scale", {}, 0.11F),
                                 constant_bytes(d, "y zero", r.result, {}, 100)};
  if (r.bias) {
    engine::Tensor bias = *engine::Tensor::zeros(kInt32, Shape{r.kernel[0]});
    for (size_t i = 0; i < bias.count(); ++i)
      bias.values<int32_t>()[i] = static_cast<int32_t>(i * 5000) - 9000;
    inputs.push_back(d.graph.add_constant("bias", std::move(bias)));
  }
  engine::Node node{
      .op = product ? "QLinearMatMul" : "QLinearConv", .name = "layer", .inputs = inputs};
  node.raw = true;
  return d.finish({d.graph.add_node(std::move(node), {{"y", r.result, {r.made}}})});
}

TEST(NpuDevice, computes_the_bytes_of_convolutions_and_products_that_are_scaled_again) {
  expect_exact(requantised({}));
  expect_exact(requantised({.type = kInt8, .result = kInt8, .bias = true}));
  expect_exact(requantised({.scales = 4, .bias = true}));
  const Shape rows{5, 20};
  const Shape matrix{20, 7};
  expect_exact(requantised({.image = rows, .kernel = matrix, .made = {5, 7}}));
  expect_exact(requantised({.type = kInt8,
                            .result = kInt8,
                            .image = rows,
                            .kernel = matrix,
                            .made = {5, 7},
                            .scales = 7}));
}

TEST(NpuDevice, takes_no_scales_that_are_computed) {
  Graph graph = requantised({});
  engine::Node node = graph.nodes()[0];
  const ValueId scale = graph.add_input({"scale", kFloat32, {Shape{}}});
  for (const size_t input : {size_t{1}, size_t{4}, size_t{6}}) {
    engine::Node other = node;
    other.inputs[input] = scale;
    const Status status = small_npu()->takes(graph, other);
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().text.contains("is computed")) << status.error().text;
  }
}

TEST(NpuDevice, takes_nothing_that_it_has_no_instructions_for_and_says_why) {
  EXPECT_TRUE(refusal_of(doubling()).contains("integer products alone"));
  EXPECT_TRUE(refusal_of(multiplied({2, 3, 4}, {2, 4, 5}, {2, 3, 5})).contains("one matrix"));
  EXPECT_TRUE(refusal_of(multiplied({0, 4}, {4, 5}, {0, 5})).contains("a width of 0"));
  EXPECT_TRUE(refusal_of(convolved({.kernel = {4, 1, 3, 3}, .attributes = {{"group", int64_t{3}}}}))
                  .contains("in groups"));
  EXPECT_TRUE(refusal_of(convolved({.attributes = {{"auto_pad", std::string("SAME_UPPER")}}}))
                  .contains("not spelled out"));
  EXPECT_TRUE(refusal_of(convolved({.image = {1, 3, 4, 4, 4}, .kernel = {4, 3, 2, 2, 2}}))
                  .contains("one or two axes"));
  EXPECT_TRUE(refusal_of(convolved({.result = {1, 4, 6, 6}})).contains("another shape"));
  EXPECT_TRUE(refusal_of(convolved({.attributes = {{"pads", Ints{16, 0, 0, 0}}}}))
                  .contains("pads by up to"));
  EXPECT_TRUE(refusal_of(convolved({}), {.memory_bytes = kMemory, .cycles_max = 1000})
                  .contains("a job has 1000 at most"));
  EXPECT_TRUE(refusal_of(convolved({}), {.memory_bytes = 1024}).contains("do not fit"));
}

TEST(NpuDevice, takes_no_operands_that_are_computed_where_it_wants_constants) {
  Draft d;
  const ValueId x = d.graph.add_input({"x", kInt8, {Shape{2, 4}}});
  const ValueId y = d.graph.add_input({"y", kInt8, {Shape{4, 3}}});
  const ValueId zero = d.graph.add_input({"zero", kInt8, {Shape{}}});
  const ValueId w = constant_bytes(d, "w", kInt8, {4, 3}, 1);
  const ValueId rows = constant_bytes(d, "rows", kInt8, {2}, 1);
  for (const std::vector<ValueId>& inputs : {std::vector{x, y}, {w, y}, {x, w, zero}, {x, w, rows}})
    d.graph.add_node({.op = "MatMulInteger", .name = "product", .inputs = inputs},
                     {{"made" + std::to_string(inputs.size()), kInt32, {Shape{2, 3}}}});
  const auto device = small_npu();
  std::set<std::string> reasons;
  for (const engine::Node& node : d.graph.nodes()) {
    const Status status = device->takes(d.graph, node);
    ASSERT_FALSE(status);
    reasons.insert(status.error().text);
  }
  EXPECT_EQ(reasons.size(), 3u) << "weights or input, zero point, rows of zero points";
}

TEST(NpuDevice, runs_several_layers_of_one_image_and_leaves_out_what_nobody_reads) {
  Draft d;
  const ValueId x = d.graph.add_input({"x", kUint8, {Shape{3, 20}}});
  std::vector<ValueId> made;
  for (const char* name : {"a", "b", "c"}) {
    const ValueId w = constant_bytes(d, name, kInt8, {20, 7}, static_cast<uint8_t>(*name));
    made.push_back(d.graph.add_node({.op = "MatMulInteger", .name = name, .inputs = {x, w}},
                                    {{std::string("sums of ") + name, kInt32, {Shape{3, 7}}}}));
  }
  const Graph graph = d.finish({made[2], made[0]});
  expect_exact(graph);
  const auto device = small_npu();
  ASSERT_TRUE(run_on(*device, graph, inputs_for(graph)));
  EXPECT_EQ(device->state().steps, 1u + 2u + 2u) << "a write, two layers, two reads";
}

// Two layers behind each other, the first of which is a result, or not.
Graph chain(bool both) {
  Draft d;
  const auto scale = [&](const std::string& name, float value) {
    return d.graph.add_constant(name, engine::Tensor::of<float>(Shape{}, {value}));
  };
  ValueId x = d.graph.add_input({"x", kUint8, {Shape{3, 20}}});
  std::vector<ValueId> made;
  for (const std::string name : {"first", "second"}) {
    const std::string zero = name + " zero";
    const ValueId w = constant_bytes(d, name.c_str(), kInt8, {20, 20}, 3);
    const ValueId zeros = constant_bytes(d, zero.c_str(), kUint8, {}, 90);
    const ValueId w_zeros = constant_bytes(d, zero.c_str(), kInt8, {}, 1);
    x = d.graph.add_node(
        {.op = "QLinearMatMul",
         .name = name,
         .inputs = {x, scale("a " + name, 0.02F), zeros, w, scale("b " + name, 0.01F), w_zeros,
                    scale("c " + name, 0.1F), zeros}},
        {{"y of " + name, kUint8, {Shape{3, 20}}}});
    made.push_back(x);
  }
  return d.finish(both ? std::vector{made[1], made[0]} : std::vector{made[1]});
}

TEST(NpuDevice, runs_layers_that_read_what_others_make) {
  expect_exact(chain(false));
  expect_exact(chain(true));
}

TEST(NpuDevice, hands_nothing_through) {
  Graph graph = integer_convolution();
  graph.add_output(graph.inputs()[0]);
  const auto program = small_npu()->compile(graph);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, Code::kUnsupported);
}

TEST(NpuDevice, says_whether_a_program_never_fits_its_memory_or_not_now) {
  const Graph graph = integer_product(4, 1024, 1024);  // a mebibyte of weights
  const auto small = *make_npu({.memory_bytes = 512 << 10});
  const auto never = small->compile(graph);
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code, Code::kTooLarge);
  const auto device = *make_npu({.memory_bytes = 4 << 20});
  auto buffer = *device->make_buffer(3 << 20);
  const auto later = device->compile(graph);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Code::kUnavailable);
  buffer.reset();
  EXPECT_TRUE(device->compile(graph));
}

// Fails its first job and every other queue, is refused until it is reset, and then fails again.
void expect_failure(const NpuOptions& options, std::string_view why) {
  const auto device = *make_npu(options);
  const Graph graph = integer_convolution();
  const auto inputs = inputs_for(graph);
  for (uint64_t resets = 0; resets < 2; ++resets) {
    const auto other = *device->make_queue();
    const auto buffer = *device->make_buffer(64);
    const auto got = run_on(*device, graph, inputs);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kPlatform);
    EXPECT_TRUE(got.error().text.contains(why)) << got.error().text;
    EXPECT_TRUE(got.error().text.contains("'convolution'")) << got.error().text;
    EXPECT_EQ(device->state().health, Health::kFailed);
    EXPECT_EQ(device->state().reason, got.error().text);
    const Status behind = (*other->write(*buffer, 0, {}))->wait(in_the_end());
    ASSERT_FALSE(behind);
    EXPECT_EQ(behind.error().code, Code::kPlatform);
    EXPECT_FALSE(device->compile(graph));
    ASSERT_TRUE(device->reset(in_the_end()));
    EXPECT_EQ(device->state().health, Health::kWell);
    EXPECT_EQ(device->state().epoch, resets + 1);
  }
}

TEST(NpuDevice, a_fault_breaks_it_until_it_is_reset) {
  expect_failure({.memory_bytes = kMemory, .misbehaviour = {npu::Misbehaviour::Kind::kFault, 2}},
                 "the device failed");
}

TEST(NpuDevice, a_job_that_hangs_breaks_it_when_its_cycles_are_used_up) {
  expect_failure({.memory_bytes = kMemory, .misbehaviour = {npu::Misbehaviour::Kind::kHang, 2}},
                 "cycles were used up");
}

TEST(NpuDevice, a_wrong_answer_is_a_good_one_but_for_its_bits) {
  const auto device = *make_npu(
      {.memory_bytes = kMemory, .misbehaviour = {npu::Misbehaviour::Kind::kWrongAnswer, 0}});
  const Graph graph = integer_convolution();
  const auto inputs = inputs_for(graph);
  const auto got = run_on(*device, graph, inputs);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_NE(*got, reference(graph, inputs));
  EXPECT_EQ(device->state().health, Health::kWell);
}

}  // namespace
}  // namespace casemate::driver
