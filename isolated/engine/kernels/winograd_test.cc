// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/winograd.h"

#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"
#include "isolated/engine/kernels/reference.h"

namespace casemate::engine {
namespace {

KernelResult of_two(const KernelRequest& request) { return make_winograd_convolution(request, 2); }
KernelResult of_four(const KernelRequest& request) { return make_winograd_convolution(request, 4); }

NodeCase node_case(const Shape& input, int64_t outputs, std::vector<int64_t> pads, int size) {
  NodeCase made{.node = {.op = "Conv", .attributes = {{"pads", std::move(pads)}}}};
  made.node.attributes.set("kernel_shape", std::vector<int64_t>{3, 3});
  made.inputs = {{noise(input, 1)}, {noise({outputs, input[1], 3, 3}, 2), true}};
  made.output = window_output(input, outputs, made.node.attributes, {3, 3});
  made.maker = size == 2 ? of_two : of_four;
  return made;
}

// The largest error, relative to the root of the mean square of what is expected.
double error_of(const Tensor& got, const std::vector<double>& expected) {
  double worst = 0;
  double squares = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::fabs(got.values<float>()[i] - expected[i]));
    squares += expected[i] * expected[i];
  }
  return worst / std::sqrt(squares / static_cast<double>(expected.size()));
}

// What tiles of 2 and of 4 may be wrong by.
double allowed(int size) { return size == 2 ? 5e-6 : 6e-5; }

struct Images {
  Shape input;
  int64_t outputs;
  std::vector<int64_t> pads;
};

const std::vector<Images>& images() {
  static const std::vector<Images> all = {
      {{1, 16, 3, 3}, 16, {0, 0, 0, 0}},     // one pixel
      {{1, 16, 1, 1}, 16, {1, 1, 1, 1}},     // nothing but edges
      {{1, 16, 6, 6}, 32, {0, 0, 0, 0}},     // one tile of four, to the pixel
      {{3, 19, 7, 9}, 48, {1, 1, 1, 1}},     // channels that end within a vector
      {{1, 32, 13, 5}, 16, {2, 0, 1, 3}},    // sides that differ
      {{2, 32, 28, 20}, 32, {1, 1, 1, 1}},   // several blocks
      {{1, 128, 10, 10}, 48, {1, 1, 1, 1}},  // few tiles
  };
  return all;
}

TEST(Winograd, agrees_with_the_definition) {
  for (const Images& image : images()) {
    NodeCase made = node_case(image.input, image.outputs, image.pads, 2);
    const auto expected = reference_convolution(made.inputs[0].tensor, made.inputs[1].tensor,
                                                nullptr, made.node.attributes, made.output);
    for (const int size : {2, 4}) {
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(image.input.text() + " by " + std::to_string(size));
        set_threads(threads);
        made.maker = size == 2 ? of_two : of_four;
        const auto result = run_case(made);
        set_threads(1);
        ASSERT_TRUE(result) << result.error().text;
        EXPECT_LT(error_of(result->output, expected), allowed(size));
      }
    }
  }
}

TEST(Winograd, adds_bias_residual_and_activation) {
  for (const bool in_place : {false, true}) {
    for (const int size : {2, 4}) {
      NodeCase made = node_case({2, 32, 10, 11}, 48, {1, 1, 1, 1}, size);
      made.inputs.push_back({noise(Shape{48}, 3), true});
      made.inputs.push_back({noise(made.output, 4)});
      made.node.post_ops = {{.op = "Add", .operand = 3},
                            {.op = "Clip", .alpha = -1.0F, .beta = 2.5F}};
      if (in_place) made.overwrite_operand = 3;
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      auto expected =
          reference_convolution(made.inputs[0].tensor, made.inputs[1].tensor,
                                &made.inputs[2].tensor, made.node.attributes, made.output);
      for (size_t i = 0; i < expected.size(); ++i)
        expected[i] = std::clamp(expected[i] + made.inputs[3].tensor.values<float>()[i], -1.0, 2.5);
      EXPECT_LT(error_of(result->output, expected), allowed(size));
    }
  }
}

TEST(Winograd, leaves_other_windows_alone) {
  const auto refused = [](const NodeCase& made) {
    const auto result = run_case(made);
    return !result && result.error().code == Code::kUnsupported;
  };
  EXPECT_FALSE(refused(node_case({1, 16, 8, 8}, 16, {1, 1, 1, 1}, 4)));
  NodeCase strided = node_case({1, 16, 9, 9}, 16, {1, 1, 1, 1}, 4);
  strided.node.attributes.set("strides", std::vector<int64_t>{2, 2});
  strided.output = {1, 16, 5, 5};
  EXPECT_TRUE(refused(strided));
  NodeCase dilated = node_case({1, 16, 9, 9}, 16, {1, 1, 1, 1}, 4);
  dilated.node.attributes.set("dilations", std::vector<int64_t>{2, 2});
  dilated.output = {1, 16, 7, 7};
  EXPECT_TRUE(refused(dilated));
  EXPECT_TRUE(refused(node_case({1, 3, 8, 8}, 16, {1, 1, 1, 1}, 4)));
  EXPECT_TRUE(refused(node_case({1, 16, 8, 8}, 17, {1, 1, 1, 1}, 4)));
  NodeCase computed = node_case({1, 16, 8, 8}, 16, {1, 1, 1, 1}, 4);
  computed.inputs[1].constant = false;
  EXPECT_TRUE(refused(computed));
  NodeCase curved = node_case({1, 16, 8, 8}, 16, {1, 1, 1, 1}, 4);
  curved.node.post_ops = {{.op = "Tanh"}};
  EXPECT_TRUE(refused(curved));
}

TEST(Winograd, gives_the_same_bits_each_time) {
  set_threads(2);
  const NodeCase made = node_case({1, 64, 28, 28}, 64, {1, 1, 1, 1}, 4);
  const auto first = run_case(made);
  const auto second = run_case(made);
  set_threads(1);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(std::ranges::equal(first->output.bytes(), second->output.bytes()));
}

}  // namespace
}  // namespace casemate::engine
