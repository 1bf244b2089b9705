// SPDX-License-Identifier: Apache-2.0
// Layers on the accelerator against the engine's own operators, which its kernels are held to bit
// for bit as well.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "isolated/driver/npu/layer.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::npu {
namespace {

using engine::Attributes;
using engine::Datum;
using engine::Tensor;
using Random = std::mt19937_64;
using Numbers64 = std::vector<int64_t>;

int64_t between(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

// Operators run by themselves: they have no subgraphs, and may have what memory they ask for.
class AloneHost final : public engine::Host {
 public:
  Status allow(uint64_t) override { return {}; }
  Result<std::vector<Datum>> run(const engine::Graph&, std::vector<Datum>) override {
    return Error{Code::kUnsupported, "no subgraph here"};
  }
};

// The elements of what the engine's operator makes of `inputs`; those that are empty are left out.
template <class T>
std::vector<T> by_the_engine(const std::string& op, const Attributes& attributes,
                             const std::vector<Datum>& inputs) {
  engine::Node node{.op = op, .name = "n", .attributes = attributes};
  std::vector<engine::Fact> facts;
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    node.inputs.push_back(inputs[i].empty() ? engine::ValueId{} : engine::ValueId{i});
    facts.push_back(engine::Fact::of(inputs[i]));
  }
  node.outputs.push_back({100});
  AloneHost host;
  engine::Computation computation(node, facts, host, engine::Computation::Mode::kRun);
  const Status done = engine::Operators::instance().find(op)(computation);
  EXPECT_TRUE(done) << (done ? "" : done.error().text);
  if (!done) return {};
  const auto values = computation.outputs()[0].tensor()->template values<T>();
  return std::vector<T>(values.begin(), values.end());
}

// Bytes and their zero points, as a layer and as an operator take them.
struct Operand {
  Quantised quantised;
  std::vector<uint8_t> bytes;
  Datum values;
  Datum zeros;
};

template <class T>
Tensor tensor_of(const Shape& shape, const std::vector<uint8_t>& bytes) {
  std::vector<T> values;
  for (const uint8_t byte : bytes) values.push_back(static_cast<T>(byte));
  return Tensor::of<T>(shape, std::span<const T>(values));
}

template <class T>
Operand operand_of(Random& random, const Shape& shape, int64_t zeros) {
  Operand operand;
  operand.quantised.number = std::is_signed_v<T> ? Number::kInt8 : Number::kUint8;
  operand.bytes.resize(*shape.element_count());
  for (uint8_t& byte : operand.bytes) byte = static_cast<uint8_t>(between(random, 0, 255));
  operand.values = tensor_of<T>(shape, operand.bytes);
  std::vector<uint8_t> points;
  for (int64_t i = 0; i < zeros; ++i)
    points.push_back(static_cast<uint8_t>(between(random, 0, 255)));
  for (const uint8_t point : points) operand.quantised.zeros.push_back(static_cast<T>(point));
  if (zeros > 0) operand.zeros = tensor_of<T>(zeros == 1 ? Shape{} : Shape{zeros}, points);
  return operand;
}

Operand any_operand(Random& random, const Shape& shape, int64_t zeros) {
  return between(random, 0, 1) == 0 ? operand_of<int8_t>(random, shape, zeros)
                                    : operand_of<uint8_t>(random, shape, zeros);
}

std::vector<int32_t> on_the_accelerator(const LayerShape& shape, const std::vector<uint8_t>& input,
                                        const std::vector<uint8_t>& weights,
                                        const std::vector<int32_t>& bias = {}) {
  const auto layer = Layer::make(shape, weights, bias, {});
  EXPECT_TRUE(layer) << layer.error().text;
  auto machine = Machine::make({.memory_bytes = layer->program().placement.end});
  EXPECT_TRUE(layer->place(*machine));
  const Convolution& c = shape.convolution;
  std::vector<int32_t> result(static_cast<size_t>(c.batch * c.outputs * c.positions()));
  const auto report = layer->run(*machine, input, result, Machine::kCyclesMax);
  EXPECT_TRUE(report && !report->fault) << (report ? report->fault->text : report.error().text);
  return result;
}

// A convolution, and the attributes that say the same.
struct Window {
  Convolution convolution;
  Attributes attributes;
  Shape input;
  Shape weights;
};

Axis random_axis(Random& random) {
  Axis axis;
  axis.kernel = between(random, 1, 4);
  axis.stride = between(random, 1, 2);
  axis.dilation = between(random, 1, 2);
  axis.pad_before = between(random, 0, 2);
  axis.pad_after = between(random, 0, 2);
  axis.size = axis.window() + between(random, 0, 8);
  return axis;
}

Window random_window(Random& random) {
  Window window;
  Convolution& c = window.convolution;
  c.batch = between(random, 1, 2);
  c.inputs = between(random, 1, 40);
  c.outputs = between(random, 1, 40);
  const Axis h = c.height = random_axis(random);
  const Axis w = c.width = random_axis(random);
  window.attributes = {{"strides", Numbers64{h.stride, w.stride}},
                       {"dilations", Numbers64{h.dilation, w.dilation}},
                       {"pads", Numbers64{h.pad_before, w.pad_before, h.pad_after, w.pad_after}}};
  window.input = {c.batch, c.inputs, h.size, w.size};
  window.weights = {c.outputs, c.inputs, h.kernel, w.kernel};
  return window;
}

TEST(Exactness, convolutions_are_those_of_conv_integer) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    const Window window = random_window(random);
    const Operand x = any_operand(random, window.input, between(random, 0, 1));
    const int64_t points = std::array<int64_t, 3>{0, 1, window.convolution.outputs}[seed % 3];
    const Operand w = any_operand(random, window.weights, points);
    const auto expected = by_the_engine<int32_t>("ConvInteger", window.attributes,
                                                 {x.values, w.values, x.zeros, w.zeros});
    ASSERT_EQ(
        on_the_accelerator({window.convolution, Order::kChannelsFirst, x.quantised, w.quantised},
                           x.bytes, w.bytes),
        expected)
        << "seed " << seed;
  }
}

TEST(Exactness, products_are_those_of_mat_mul_integer) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    Convolution c;
    c.width.size = between(random, 1, 300);
    c.inputs = between(random, 1, 200);
    c.outputs = between(random, 1, 60);
    const Operand a = any_operand(random, {c.width.size, c.inputs}, between(random, 0, 1));
    const Operand b = any_operand(random, {c.inputs, c.outputs},
                                  std::array<int64_t, 3>{0, 1, c.outputs}[seed % 3]);
    const auto expected =
        by_the_engine<int32_t>("MatMulInteger", {}, {a.values, b.values, a.zeros, b.zeros});
    ASSERT_EQ(
        on_the_accelerator({c, Order::kChannelsLast, a.quantised, b.quantised}, a.bytes, b.bytes),
        expected)
        << "seed " << seed;
  }
}

// The sums are the device's, what ONNX does with them is the processor's.
TEST(Exactness, sums_scaled_by_the_processor_are_those_of_qlinear_conv) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const Window window = random_window(random);
    const Convolution& c = window.convolution;
    const Operand x = operand_of<uint8_t>(random, window.input, 1);
    const Operand w = operand_of<int8_t>(random, window.weights, 1);
    std::vector<int32_t> bias;
    for (int64_t i = 0; i < c.outputs; ++i)
      bias.push_back(static_cast<int32_t>(between(random, -50'000, 50'000)));
    const float x_scale = 0.037f;
    const float w_scale = 0.011f;
    const float y_scale = 1.3f;
    const auto expected =
        by_the_engine<uint8_t>("QLinearConv", window.attributes,
                               {x.values, Tensor::of<float>({}, {x_scale}), x.zeros, w.values,
                                Tensor::of<float>({}, {w_scale}), w.zeros,
                                Tensor::of<float>({}, {y_scale}), Tensor::of<uint8_t>({}, {100}),
                                Tensor::of<int32_t>({c.outputs}, std::span<const int32_t>(bias))});
    std::vector<uint8_t> scaled;
    for (const int32_t sum : on_the_accelerator(
             {c, Order::kChannelsFirst, x.quantised, w.quantised}, x.bytes, w.bytes, bias)) {
      const float value = static_cast<float>(sum) * (x_scale * w_scale / y_scale);
      scaled.push_back(static_cast<uint8_t>(std::clamp(std::nearbyint(value) + 100, 0.f, 255.f)));
    }
    ASSERT_EQ(scaled, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace casemate::npu
