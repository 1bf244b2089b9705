// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"
#include "isolated/engine/kernels/reference.h"

namespace casemate::engine {
namespace {

using Ints = std::vector<int64_t>;

struct SeparableCase {
  const char* what;
  Shape input;
  int64_t outputs;
  Ints kernel;
  Attributes attributes;
};

const std::vector<SeparableCase>& cases() {
  static const std::vector<SeparableCase> all = {
      {"one pixel", {1, 1, 1, 1}, 1, {1, 1}, {}},
      {"3x3", {1, 16, 9, 9}, 24, {3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
      {"odd channels, stride 2, two images",
       {2, 51, 11, 14},
       37,
       {3, 3},
       {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}},
      {"five wide, uneven pads", {1, 20, 6, 19}, 70, {5, 5}, {{"pads", Ints{4, 4, 1, 0}}}},
      {"dilated, wider than the image",
       {1, 18, 6, 5},
       3,
       {2, 4},
       {{"dilations", Ints{2, 3}}, {"pads", Ints{2, 7, 1, 6}}}},
      {"several rounds of lines", {1, 96, 40, 33}, 16, {3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
      {"few rows and many weights", {1, 512, 7, 7}, 600, {3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
      {"a depth of two passes", {2, 1040, 2, 3}, 80, {1, 1}, {}},
  };
  return all;
}

// x, weights and bias of both, and what is added.
NodeCase node_case(const SeparableCase& given, bool added) {
  NodeCase made{.node = {.op = "casemate:SeparableConv", .attributes = given.attributes}};
  const int64_t channels = given.input[1];
  made.node.attributes.set("kernel_shape", given.kernel);
  made.node.attributes.set("group", channels);
  made.inputs = {{noise(given.input, 1)},
                 {noise({channels, 1, given.kernel[0], given.kernel[1]}, 2), true},
                 {noise({channels}, 3), true},
                 {noise({given.outputs, channels, 1, 1}, 4), true},
                 {noise({given.outputs}, 5), true}};
  made.output = window_output(given.input, given.outputs, made.node.attributes, given.kernel);
  if (!added) return made;
  made.inputs.push_back({noise(made.output, 6)});
  made.node.post_ops = {{.op = "Add", .operand = 5}};
  return made;
}

Tensor narrow(const Shape& shape, const std::vector<double>& values) {
  const std::vector<float> floats(values.begin(), values.end());
  return Tensor::of<float>(shape, std::span<const float>(floats));
}

// One convolution after the other, by their definition.
std::vector<double> reference(const NodeCase& given, double low, double high) {
  const Shape& input = given.inputs[0].tensor.shape();
  Shape between = given.output;
  between[1] = input[1];
  auto first = reference_convolution(given.inputs[0].tensor, given.inputs[1].tensor,
                                     &given.inputs[2].tensor, given.node.attributes, between);
  for (double& value : first) value = std::clamp(value, low, high);
  auto made = reference_convolution(narrow(between, first), given.inputs[3].tensor,
                                    &given.inputs[4].tensor, {}, given.output);
  if (given.inputs.size() > 5) {
    for (size_t i = 0; i < made.size(); ++i) made[i] += given.inputs[5].tensor.values<float>()[i];
  }
  return made;
}

constexpr double kLargest = 1e30;

TEST(SeparableConvolution, agrees_with_its_halves_on_any_number_of_threads) {
  for (const SeparableCase& given : cases()) {
    const NodeCase made = node_case(given, false);
    const auto expected = reference(made, -kLargest, kLargest);
    for (const int threads : {1, 2, 3}) {
      SCOPED_TRACE(std::string(given.what) + ", threads: " + std::to_string(threads));
      set_threads(threads);
      const auto result = run_case(made);
      set_threads(1);
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_TRUE(near(result->output, expected, 1e-4));
    }
  }
}

TEST(SeparableConvolution, limits_the_first_and_adds_and_activates_behind_the_second) {
  for (const SeparableCase& given : cases()) {
    auto expected = reference(node_case(given, true), -0.25, 0.5);
    for (double& value : expected) value = std::tanh(value);
    for (const bool in_place : {false, true}) {
      SCOPED_TRACE(std::string(given.what) + (in_place ? ", in place" : ""));
      NodeCase made = node_case(given, true);
      made.node.attributes.set("activation", std::string("Clip"));
      made.node.attributes.set("alpha", -0.25F);
      made.node.attributes.set("beta", 0.5F);
      made.node.post_ops.push_back({.op = "Tanh"});
      if (in_place) made.overwrite_operand = 5;
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_TRUE(near(result->output, expected, 1e-4));
    }
  }
}

}  // namespace
}  // namespace casemate::engine
