// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"
#include "isolated/engine/kernels/reference.h"

namespace casemate::engine {
namespace {

struct ConvolutionCase {
  const char* what;
  Shape input;
  Shape weights;
  Attributes attributes;
};

const std::vector<ConvolutionCase>& cases() {
  using Ints = std::vector<int64_t>;
  static const std::vector<ConvolutionCase> all = {
      {"one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, {}},
      {"3x3, odd everything", {1, 3, 7, 9}, {5, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
      {"5x5 of one channel", {2, 1, 28, 28}, {8, 1, 5, 5}, {{"pads", Ints{2, 2, 2, 2}}}},
      {"7x7 stride 2 of a picture",
       {1, 3, 33, 31},
       {16, 3, 7, 7},
       {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}}},
      {"1x1", {3, 17, 5, 6}, {19, 17, 1, 1}, {}},
      {"1x1 stride 2", {1, 32, 9, 9}, {64, 32, 1, 1}, {{"strides", Ints{2, 2}}}},
      {"pads that differ on every side", {1, 4, 6, 5}, {6, 4, 3, 2}, {{"pads", Ints{0, 1, 2, 0}}}},
      {"strides that differ", {1, 4, 12, 11}, {3, 4, 3, 3}, {{"strides", Ints{3, 2}}}},
      {"dilated",
       {1, 16, 13, 13},
       {16, 16, 3, 3},
       {{"dilations", Ints{2, 3}}, {"pads", Ints{2, 3, 2, 3}}}},
      {"grouped", {2, 12, 6, 6}, {8, 3, 3, 3}, {{"group", int64_t{4}}, {"pads", Ints{1, 1, 1, 1}}}},
      {"grouped, full blocks", {1, 32, 6, 6}, {32, 16, 3, 3}, {{"group", int64_t{2}}}},
      {"channels that do not fill their blocks",
       {1, 20, 6, 7},
       {16, 20, 3, 3},
       {{"pads", Ints{1, 1, 1, 1}}}},
      {"grouped, blocks that are not filled",
       {1, 24, 9, 11},
       {40, 12, 3, 3},
       {{"group", int64_t{2}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}},
      {"depth-wise",
       {1, 16, 9, 9},
       {16, 1, 3, 3},
       {{"group", int64_t{16}}, {"pads", Ints{1, 1, 1, 1}}}},
      {"depth-wise, odd channels, stride 2",
       {1, 7, 9, 8},
       {7, 1, 3, 3},
       {{"group", int64_t{7}}, {"strides", Ints{2, 2}}}},
      {"depth-wise, several vectors, other channels behind them",
       {2, 51, 7, 23},
       {51, 1, 3, 3},
       {{"group", int64_t{51}}, {"pads", Ints{1, 1, 1, 1}}}},
      {"depth-wise, five wide, stride 2",
       {1, 32, 11, 26},
       {32, 1, 5, 5},
       {{"group", int64_t{32}}, {"strides", Ints{2, 2}}, {"pads", Ints{2, 2, 2, 2}}}},
      {"depth-wise, three wide, stride 2, uneven pads",
       {1, 16, 12, 31},
       {16, 1, 3, 3},
       {{"group", int64_t{16}}, {"strides", Ints{1, 2}}, {"pads", Ints{0, 0, 1, 2}}}},
      {"depth-wise, five wide",
       {1, 20, 6, 19},
       {20, 1, 5, 5},
       {{"group", int64_t{20}}, {"pads", Ints{4, 4, 1, 0}}}},
      {"depth-wise, dilated, wider than the image",
       {1, 18, 6, 5},
       {18, 1, 2, 4},
       {{"group", int64_t{18}}, {"dilations", Ints{2, 3}}, {"pads", Ints{2, 7, 1, 6}}}},
      {"depth-wise times two", {1, 6, 5, 5}, {12, 1, 3, 3}, {{"group", int64_t{6}}}},
      {"kernel as large as the input", {1, 8, 4, 4}, {10, 8, 4, 4}, {}},
      {"one dimension", {2, 5, 21}, {7, 5, 4}, {{"pads", Ints{1, 2}}, {"strides", Ints{2}}}},
      {"three dimensions", {1, 3, 5, 6, 4}, {4, 3, 2, 3, 2}, {{"pads", Ints{1, 0, 1, 0, 1, 0}}}},
      {"many channels, stride 2",
       {1, 64, 9, 9},
       {96, 64, 3, 3},
       {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}},
      {"a depth of several passes", {1, 128, 4, 5}, {68, 128, 3, 3}, {{"strides", Ints{1, 2}}}},
      {"more lines than one round", {1, 16, 40, 110}, {4, 16, 1, 5}, {{"pads", Ints{0, 2, 0, 1}}}},
      {"a window that ends before the image",
       {1, 8, 10, 11},
       {16, 8, 3, 2},
       {{"strides", Ints{4, 4}}}},
  };
  return all;
}

NodeCase node_case(const ConvolutionCase& given, Layout preferred) {
  NodeCase made{.node = {.op = "Conv", .attributes = given.attributes}, .preferred = preferred};
  const auto kernel = given.weights.dims().subspan(2);
  made.node.attributes.set("kernel_shape", std::vector<int64_t>(kernel.begin(), kernel.end()));
  made.inputs = {{noise(given.input, 1)}, {noise(given.weights, 2), true}};
  made.output = window_output(given.input, given.weights[0], made.node.attributes,
                              {kernel.begin(), kernel.end()});
  return made;
}

constexpr Layout kLayouts[] = {Layout::kRowMajor, Layout::kChannelsLast, Layout::kBlocked8,
                               Layout::kBlocked16};

// What single elements may be wrong by: Winograd's errors are of all that a tile sums up, which may
// be much more than a single result is.
double tolerance_of(const KernelNeeds& needs) {
  return needs.implementation.starts_with("winograd") ? 5e-4 : 6e-5;
}

TEST(Convolution, agrees_with_its_definition_in_every_layout) {
  for (const ConvolutionCase& given : cases()) {
    for (const Layout layout : kLayouts) {
      SCOPED_TRACE(std::string(given.what) + ", " + std::string(name_of(layout)));
      const NodeCase made = node_case(given, layout);
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_TRUE(near(result->output,
                       reference_convolution(made.inputs[0].tensor, made.inputs[1].tensor, nullptr,
                                             made.node.attributes, made.output),
                       tolerance_of(result->needs)));
    }
  }
}

TEST(Convolution, never_runs_on_a_reference_kernel_for_common_shapes) {
  for (const ConvolutionCase& given : cases()) {
    const auto result = run_case(node_case(given, Layout::kChannelsLast));
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->needs.slow) << given.what << ": " << result->needs.implementation;
  }
}

TEST(Convolution, adds_bias_residual_and_activation) {
  for (const ConvolutionCase& given : cases()) {
    for (const Layout layout : {Layout::kChannelsLast, Layout::kBlocked16}) {
      for (const bool in_place : {false, true}) {
        SCOPED_TRACE(std::string(given.what) + ", " + std::string(name_of(layout)) +
                     (in_place ? ", in place" : ""));
        NodeCase made = node_case(given, layout);
        made.inputs.push_back({noise(Shape{given.weights[0]}, 3), true});
        made.inputs.push_back({noise(made.output, 4)});
        made.node.post_ops = {{.op = "Add", .operand = 3}, {.op = "Relu"}};
        if (in_place) made.overwrite_operand = 3;
        const auto result = run_case(made);
        ASSERT_TRUE(result) << result.error().text;
        const std::string& name = result->needs.implementation;
        const bool ours = name.starts_with("gemm") || name.starts_with("winograd");
        EXPECT_EQ(result->needs.overwrites.has_value(), in_place && !ours);
        auto expected =
            reference_convolution(made.inputs[0].tensor, made.inputs[1].tensor,
                                  &made.inputs[2].tensor, made.node.attributes, made.output);
        for (size_t i = 0; i < expected.size(); ++i) {
          expected[i] = std::max(0.0, expected[i] + made.inputs[3].tensor.values<float>()[i]);
        }
        EXPECT_TRUE(near(result->output, expected, tolerance_of(result->needs)));
      }
    }
  }
}

// The same, whoever does the activation: oneDNN, our epilogues, or a loop over what was just made.
TEST(Convolution, activates_on_any_number_of_threads) {
  for (const ConvolutionCase& given : cases()) {
    NodeCase made = node_case(given, Layout::kChannelsLast);
    const auto plain = reference_convolution(made.inputs[0].tensor, made.inputs[1].tensor, nullptr,
                                             made.node.attributes, made.output);
    for (const char* activation : {"Tanh", "LeakyRelu"}) {
      auto expected = plain;
      for (double& value : expected)
        value = activation[0] == 'T' ? std::tanh(value) : std::max(value, value / 4);
      made.node.post_ops = {{.op = activation, .alpha = 0.25F}};
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(std::string(given.what) + ", " + activation);
        set_threads(threads);
        const auto result = run_case(made);
        set_threads(1);
        ASSERT_TRUE(result) << result.error().text;
        EXPECT_TRUE(near(result->output, expected, tolerance_of(result->needs)));
      }
    }
  }
}

// 2^29 x 2^29 pixels of 16 floats under one window: 2^64 bytes, which is none in 64 bits.
TEST(Convolution, computes_or_refuses_windows_larger_than_any_memory) {
  constexpr int64_t kApart = (int64_t{1} << 29) - 1;
  const ConvolutionCase given = {"far apart",
                                 {1, 16, 1, 1},
                                 {16, 16, 2, 2},
                                 {{"dilations", std::vector<int64_t>{kApart, kApart}},
                                  {"pads", std::vector<int64_t>{kApart, kApart, 0, 0}}}};
  const NodeCase made = node_case(given, Layout::kChannelsLast);
  const auto result = run_case(made);
  if (!result) {
    EXPECT_EQ(result.error().code, Code::kUnsupported) << result.error().text;
    return;
  }
  EXPECT_TRUE(
      near(result->output, reference_convolution(made.inputs[0].tensor, made.inputs[1].tensor,
                                                 nullptr, made.node.attributes, made.output)));
}

TEST(Convolution, refuses_computed_weights_and_flat_inputs) {
  NodeCase computed = node_case(cases()[1], Layout::kChannelsLast);
  computed.inputs[1].constant = false;
  EXPECT_EQ(run_case(computed).error().code, Code::kUnsupported);
  NodeCase flat_input{.node = {.op = "Conv"},
                      .inputs = {{noise({2, 3}, 1)}, {noise({4, 3}, 2), true}},
                      .output = {2, 4}};
  const auto refused = run_case(flat_input);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("node 'case' (Conv): input of rank 2"), std::string::npos)
      << refused.error().text;
}

}  // namespace
}  // namespace casemate::engine
