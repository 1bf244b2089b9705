// SPDX-License-Identifier: Apache-2.0
// Layers against plain loops, for hundreds of shapes.
#include "isolated/driver/npu/layer.h"

#include <gtest/gtest.h>

#include <random>

namespace casemate::npu {
namespace {

using Random = std::mt19937_64;

int64_t between(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

struct Case {
  LayerShape shape;
  std::vector<uint8_t> input;
  std::vector<uint8_t> weights;
  std::vector<int32_t> bias;
};

int32_t value_of(Number number, uint8_t byte) {
  return number == Number::kUint8 ? byte : static_cast<int8_t>(byte);
}

// The definition, pixel by pixel.
class Plain {
 public:
  explicit Plain(const Case& layer)
      : c_(layer.shape.convolution), first_(layer.shape.order == Order::kChannelsFirst) {
    centre_input(layer);
    centre_weights(layer);
    bias_ = layer.bias;
    bias_.resize(static_cast<size_t>(c_.outputs));
  }

  std::vector<int32_t> run() const {
    const int64_t height = c_.height.output();
    const int64_t width = c_.width.output();
    std::vector<int32_t> result(static_cast<size_t>(c_.batch * c_.outputs * height * width));
    for (int64_t n = 0; n < c_.batch; ++n) {
      for (int64_t o = 0; o < c_.outputs; ++o) {
        for (int64_t y = 0; y < height; ++y) {
          for (int64_t x = 0; x < width; ++x) {
            const int64_t at = first_ ? ((n * c_.outputs + o) * height + y) * width + x
                                      : ((n * height + y) * width + x) * c_.outputs + o;
            result[static_cast<size_t>(at)] = sum(n, o, y, x);
          }
        }
      }
    }
    return result;
  }

 private:
  int32_t sum(int64_t n, int64_t o, int64_t y, int64_t x) const {
    auto sum = static_cast<uint32_t>(bias_[static_cast<size_t>(o)]);
    for (int64_t ky = 0; ky < c_.height.kernel; ++ky) {
      for (int64_t kx = 0; kx < c_.width.kernel; ++kx) {
        const int64_t iy = y * c_.height.stride + ky * c_.height.dilation - c_.height.pad_before;
        const int64_t ix = x * c_.width.stride + kx * c_.width.dilation - c_.width.pad_before;
        if (iy < 0 || iy >= c_.height.size || ix < 0 || ix >= c_.width.size) continue;
        const int32_t* pixel = &input_[static_cast<size_t>(
            ((n * c_.height.size + iy) * c_.width.size + ix) * c_.inputs)];
        const int32_t* weight = &weights_[static_cast<size_t>(
            ((o * c_.height.kernel + ky) * c_.width.kernel + kx) * c_.inputs)];
        for (int64_t i = 0; i < c_.inputs; ++i) sum += static_cast<uint32_t>(pixel[i] * weight[i]);
      }
    }
    return static_cast<int32_t>(sum);
  }

  // To [batch, pixels, inputs], less the zero point.
  void centre_input(const Case& layer) {
    const auto& zeros = layer.shape.input.zeros;
    for (int64_t n = 0; n < c_.batch; ++n) {
      for (int64_t p = 0; p < c_.pixels(); ++p) {
        for (int64_t i = 0; i < c_.inputs; ++i) {
          const int64_t at = first_ ? (n * c_.inputs + i) * c_.pixels() + p
                                    : (n * c_.pixels() + p) * c_.inputs + i;
          input_.push_back(
              value_of(layer.shape.input.number, layer.input[static_cast<size_t>(at)]) -
              (zeros.empty() ? 0 : zeros[0]));
        }
      }
    }
  }

  // To [outputs, taps, inputs], less the zero points.
  void centre_weights(const Case& layer) {
    const auto& zeros = layer.shape.weights.zeros;
    const int64_t taps = c_.height.kernel * c_.width.kernel;
    for (int64_t o = 0; o < c_.outputs; ++o) {
      const int32_t zero =
          zeros.empty() ? 0 : zeros[zeros.size() == 1 ? 0 : static_cast<size_t>(o)];
      for (int64_t t = 0; t < taps; ++t) {
        for (int64_t i = 0; i < c_.inputs; ++i) {
          const int64_t at =
              first_ ? (o * c_.inputs + i) * taps + t : (t * c_.inputs + i) * c_.outputs + o;
          weights_.push_back(
              value_of(layer.shape.weights.number, layer.weights[static_cast<size_t>(at)]) - zero);
        }
      }
    }
  }

  const Convolution& c_;
  bool first_;
  std::vector<int32_t> input_;
  std::vector<int32_t> weights_;
  std::vector<int32_t> bias_;
};

Quantised quantised(Random& random, int64_t zeros) {
  Quantised result;
  if (between(random, 0, 1) == 1) result.number = Number::kUint8;
  const int32_t least = result.number == Number::kUint8 ? 0 : -128;
  for (int64_t i = 0; i < zeros; ++i)
    result.zeros.push_back(least + static_cast<int32_t>(between(random, 0, 255)));
  return result;
}

void fill(Random& random, Case& layer) {
  const Convolution& c = layer.shape.convolution;
  const auto bytes = [&](int64_t count) {
    std::vector<uint8_t> result(static_cast<size_t>(count));
    for (uint8_t& byte : result) byte = static_cast<uint8_t>(between(random, 0, 255));
    return result;
  };
  layer.shape.input = quantised(random, between(random, 0, 1));
  const int64_t zeros[] = {0, 0, 1, c.outputs};
  layer.shape.weights = quantised(random, zeros[between(random, 0, 3)]);
  layer.input = bytes(c.batch * c.inputs * c.pixels());
  layer.weights = bytes(c.outputs * c.inputs * c.height.kernel * c.width.kernel);
  if (between(random, 0, 1) == 0) return;
  for (int64_t i = 0; i < c.outputs; ++i)
    layer.bias.push_back(static_cast<int32_t>(between(random, INT32_MIN, INT32_MAX)));
}

Axis random_axis(Random& random) {
  Axis axis;
  const int64_t kernels[] = {1, 1, 2, 3, 3, 5, 7};
  axis.kernel = kernels[between(random, 0, 6)];
  axis.stride = between(random, 1, 3);
  axis.dilation = between(random, 1, 3);
  axis.pad_before = between(random, 0, 15) % axis.window();
  axis.pad_after = between(random, 0, 15) % axis.window();
  axis.size = axis.window() + between(random, 0, 9);
  return axis;
}

Case random_case(uint64_t seed) {
  Random random(seed);
  Case layer;
  Convolution& c = layer.shape.convolution;
  c.batch = between(random, 1, 2);
  c.inputs = between(random, 1, 34);
  c.outputs = between(random, 1, 34);
  c.height = random_axis(random);
  c.width = random_axis(random);
  if (between(random, 0, 3) == 0) {  // a product
    c.batch = 1;
    c.height = c.width = {};
    c.width.size = between(random, 1, 700);
    c.inputs = between(random, 1, 200);
  }
  if (between(random, 0, 1) == 1) layer.shape.order = Order::kChannelsLast;
  fill(random, layer);
  return layer;
}

struct Outcome {
  std::vector<int32_t> values;
  Report report;
  Program program;
};

Outcome run(const Case& layer, const Timing& timing = {}, bool overlapped = true) {
  Outcome outcome;
  auto made = Layer::make(layer.shape, layer.weights, layer.bias, {.overlapped = overlapped});
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().text);
  if (!made) return outcome;
  auto machine = Machine::make({.memory_bytes = made->program().placement.end, .timing = timing});
  const Convolution& c = layer.shape.convolution;
  outcome.values.resize(static_cast<size_t>(c.batch * c.outputs * c.positions()));
  EXPECT_TRUE(made->place(*machine));
  auto report = made->run(*machine, layer.input, outcome.values, 1ull << 32);
  EXPECT_TRUE(report.has_value()) << (report ? "" : report.error().text);
  if (report) outcome.report = *report;
  if (outcome.report.fault) ADD_FAILURE() << outcome.report.fault->text;
  outcome.program = made->program();
  return outcome;
}

TEST(Layer, computes_the_same_bits_as_plain_loops) {
  for (uint64_t seed = 0; seed < 250; ++seed) {
    const Case layer = random_case(seed);
    ASSERT_EQ(run(layer).values, Plain(layer).run()) << "seed " << seed;
  }
}

// A layer of the given channels with a square image, unsigned bytes and a bias.
Case square_case(int64_t inputs, int64_t outputs, const Axis& axis) {
  Random random(1);
  Case layer;
  Convolution& c = layer.shape.convolution;
  c.inputs = inputs;
  c.outputs = outputs;
  c.height = c.width = axis;
  fill(random, layer);
  layer.shape.input = {Number::kUint8, {117}};
  layer.shape.weights = {Number::kInt8, {}};
  layer.bias.assign(static_cast<size_t>(outputs), 1'000'000);
  return layer;
}

TEST(Layer, is_cut_into_tiles_and_chunks_that_fit_the_buffers) {
  const Axis axis = {.size = 34, .kernel = 3, .pad_before = 1, .pad_after = 1};
  const Case layer = square_case(136, 136, axis);
  const Outcome outcome = run(layer);
  EXPECT_EQ(outcome.values, Plain(layer).run());
  const Tiling& tiling = outcome.program.tiling;
  EXPECT_LT(tiling.rows * tiling.columns, 34 * 34);
  EXPECT_LT(tiling.outputs * tiling.inputs, 9 * 9);
}

TEST(Layer, is_cut_by_its_weights_where_a_single_row_is_multiplied) {
  const Case layer = square_case(512, 512, {});
  const Outcome outcome = run(layer);
  EXPECT_EQ(outcome.values, Plain(layer).run());
  EXPECT_LE(outcome.program.tiling.outputs * outcome.program.tiling.inputs, 512);
}

TEST(Layer, has_the_same_bits_however_long_memory_takes) {
  const Case layer = square_case(70, 90, {.size = 21, .kernel = 3, .stride = 2, .pad_before = 1});
  const auto expected = Plain(layer).run();
  for (const bool overlapped : {false, true}) {
    for (const uint32_t latency : {0u, 700u, 90'000u}) {
      for (const uint32_t bytes : {1u, 100'000u}) {
        for (const uint32_t pipeline : {0u, 5'000u}) {
          EXPECT_EQ(run(layer, {latency, bytes, pipeline}, overlapped).values, expected)
              << latency << " " << bytes << " " << pipeline << " " << overlapped;
        }
      }
    }
  }
}

TEST(Layer, takes_fewer_cycles_when_loads_overlap_the_computation) {
  const Case layer =
      square_case(64, 64, {.size = 28, .kernel = 3, .pad_before = 1, .pad_after = 1});
  const Counters together = run(layer).report.counters;
  const Counters alone = run(layer, {}, false).report.counters;
  EXPECT_EQ(together.products, alone.products);
  // A load of weights and pixels takes a ninth of the products' time and more, and there are
  // several: what is saved is more than a twentieth.
  EXPECT_LT(together.cycles * 20, alone.cycles * 19);
}

TEST(Layer, keeps_the_matrix_unit_busy_in_a_layer_of_resnet) {
  // conv4_x of ResNet-50. Its 14 x 14 x 16 x 16 x 9 turns stand against 589,824 bytes of weights
  // and 50,176 of pixels at 16 a cycle, which is an eleventh; what is left is the ALU's part, 3
  // cycles for 144 turns, and the first load.
  const Case layer =
      square_case(256, 256, {.size = 14, .kernel = 3, .pad_before = 1, .pad_after = 1});
  const Counters counters = run(layer).report.counters;
  EXPECT_EQ(counters.products, 14u * 14 * 16 * 16 * 9);
  EXPECT_GT(counters.utilisation(), 0.95);
  EXPECT_LT(counters.utilisation(), 1.0);
}

TEST(Layer, loads_everything_once_when_it_fits) {
  // Pixels are loaded once; both halves of the buffers get the weights and the bias.
  const Case layer = square_case(16, 16, {.size = 64});
  const Outcome outcome = run(layer);
  EXPECT_LT(outcome.program.tiling.columns, 64 * 64);
  EXPECT_EQ(outcome.report.counters.bytes_loaded,
            64u * 64 * 16 + 2 * 256 + 2 * 64 + outcome.program.micro_ops.size());
}

TEST(Layer, a_device_that_answers_wrongly_is_one_bit_off) {
  const Case layer = square_case(16, 16, {.size = 4});
  const auto made = Layer::make(layer.shape, layer.weights, layer.bias, {.memory_bytes = 1 << 16});
  auto machine = Machine::make(
      {.memory_bytes = 1 << 16, .misbehaviour = {Misbehaviour::Kind::kWrongAnswer, 0}});
  ASSERT_TRUE(made->place(*machine));
  std::vector<int32_t> values(16 * 16);
  ASSERT_TRUE(made->run(*machine, layer.input, values, 1 << 20));
  auto expected = Plain(layer).run();
  expected[0] ^= 1;
  EXPECT_EQ(values, expected);
}

std::string refusal(const Case& layer, const CompileOptions& options = {}) {
  const auto made = Layer::make(layer.shape, layer.weights, layer.bias, options);
  return made ? "none" : made.error().text;
}

TEST(Layer, what_does_not_fit_is_refused_with_a_sentence) {
  Case layer = square_case(16, 16, {.size = 4});
  EXPECT_EQ(refusal(layer), "none");
  EXPECT_EQ(refusal(layer, {.memory_bytes = 1024}),
            "operands and results of 1792 bytes from address 0; device memory has 1024");
  EXPECT_EQ(refusal(layer, {.base = 100}),
            "a program at address 100; it has to be a multiple of 256 in device memory");
  layer.bias.pop_back();
  EXPECT_EQ(refusal(layer), "a bias of 15 values; the layer has 16");
  layer.bias.clear();
  layer.shape.input.zeros = {-1};
  EXPECT_EQ(refusal(layer), "a zero point of the input, -1, is none of their values");
  layer.shape.input.zeros = {};
  layer.shape.weights.zeros = {1, 2};
  EXPECT_EQ(refusal(layer), "2 zero points of the weights; there can be one or 16");
  layer.shape.weights.zeros = {};
  layer.weights.pop_back();
  EXPECT_EQ(refusal(layer), "weights of 255 values; the layer has 256");
  layer.shape.convolution.width.pad_after = 16;
  EXPECT_EQ(refusal(layer),
            "a padding of 16 along the width; a load pads by up to 15: pad the "
            "image before");
  layer.shape.convolution.width = {.size = 4, .kernel = 3, .dilation = 2};
  EXPECT_EQ(refusal(layer), "a kernel that spans 5 along a width of 4 with its padding");
  layer.shape.convolution.width = {.size = 1 << 24};
  layer.shape.convolution.height = {.size = 1 << 24};
  EXPECT_EQ(refusal(layer), "an image of more than 4294967296 bytes; device memory has no more");
  const Case heavy = square_case(1, 1, {.size = 24, .kernel = 24});
  EXPECT_EQ(refusal(heavy),
            "a window of 24 x 24 with 576 blocks of weights: the buffers take windows of 1024 "
            "pixels and 512 blocks");
  const Case wide = square_case(1, 1, {.size = 40, .kernel = 40});
  EXPECT_EQ(refusal(wide),
            "a window of 40 x 40 with 1600 blocks of weights: the buffers take "
            "windows of 1024 pixels and 512 blocks");
}

}  // namespace
}  // namespace casemate::npu
