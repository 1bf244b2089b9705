// SPDX-License-Identifier: Apache-2.0
// Kernels on bytes beside the functions that define their operators: bit for bit.
#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"

namespace casemate::engine {
namespace {

using Ints = std::vector<int64_t>;

Tensor random_bytes(const Shape& shape, ElementType type, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor tensor = *Tensor::zeros(type, shape);
  for (uint8_t& byte : tensor.mutable_bytes()) byte = static_cast<uint8_t>(random());
  return tensor;
}

Tensor byte(ElementType type, int value) {
  if (type == ElementType::kInt8) return Tensor::of<int8_t>(Shape{}, {static_cast<int8_t>(value)});
  return Tensor::of<uint8_t>(Shape{}, {static_cast<uint8_t>(value)});
}

Tensor row(int64_t count, float scale) {
  Tensor made = *Tensor::zeros(ElementType::kFloat32, {count});
  for (int64_t i = 0; i < count; ++i)
    made.values<float>()[i] = scale * static_cast<float>(1 + i % 5);
  return made;
}

struct Convolution {
  Shape image, weights, result;
  int64_t stride = 1, pad = 0, dilation = 1, groups = 1;
};

// Edges of tiles, panels, groups of four; images of few channels, padded or not, with steps; groups
// and one channel each.
const std::vector<Convolution>& convolutions() {
  static const std::vector<Convolution> all = {
      {{1, 3, 9, 11}, {5, 3, 3, 3}, {1, 5, 9, 11}, 1, 1},
      {{2, 3, 17, 17}, {33, 3, 7, 7}, {2, 33, 9, 9}, 2, 3},
      {{2, 19, 5, 7}, {70, 19, 1, 1}, {2, 70, 5, 7}},
      {{1, 64, 8, 8}, {64, 64, 3, 3}, {1, 64, 8, 8}, 1, 1},
      {{1, 30, 9, 9}, {17, 30, 1, 1}, {1, 17, 5, 5}, 2},
      {{1, 8, 9, 9}, {6, 4, 3, 3}, {1, 6, 7, 7}, 1, 1, 2, 2},
      {{2, 80, 9, 7}, {80, 1, 3, 3}, {2, 80, 9, 7}, 1, 1, 1, 80},
      {{1, 36, 9, 9}, {36, 1, 5, 5}, {1, 36, 5, 5}, 2, 2, 1, 36},
      {{1, 16, 6, 6}, {16, 1, 3, 3}, {1, 16, 3, 3}, 2, 1, 1, 16},
      {{1, 5, 6, 6}, {5, 1, 3, 3}, {1, 5, 6, 6}, 1, 1, 1, 5},
      {{2, 4, 12}, {9, 4, 3}, {2, 9, 10}},
  };
  return all;
}

Attributes attributes_of(const Convolution& c) {
  const size_t spatial = c.image.rank() - 2;
  Ints kernel(c.weights.dims().begin() + 2, c.weights.dims().end());
  return {{"kernel_shape", kernel},
          {"pads", Ints(2 * spatial, c.pad)},
          {"strides", Ints(spatial, c.stride)},
          {"dilations", Ints(spatial, c.dilation)},
          {"group", c.groups}};
}

// The node by its kernel and by its operator's function.
void expect_same_bits(NodeCase given, std::string_view implementation) {
  const auto got = run_case(given);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_TRUE(got->needs.implementation.contains(implementation)) << got->needs.implementation;
  given.maker = make_operator_kernel;
  const auto expected = run_case(given);
  ASSERT_TRUE(expected) << expected.error().text;
  const auto got_bytes = got->output.bytes();
  const auto expected_bytes = expected->output.bytes();
  ASSERT_EQ(got_bytes.size(), expected_bytes.size());
  for (size_t i = 0; i < got_bytes.size(); ++i)
    ASSERT_EQ(int{got_bytes[i]}, int{expected_bytes[i]}) << "byte " << i;
}

constexpr ElementType kTypes[] = {ElementType::kUint8, ElementType::kInt8};

NodeCase quantized(const Convolution& c, ElementType a, ElementType b, int b_zero) {
  const int64_t outputs = c.weights[0];
  Tensor bias = *Tensor::zeros(ElementType::kInt32, {outputs});
  for (int64_t i = 0; i < outputs; ++i)
    bias.values<int32_t>()[i] = static_cast<int32_t>(i * 977 % 4001) - 2000;
  return {.node = {.op = "QLinearConv", .attributes = attributes_of(c)},
          .inputs = {{random_bytes(c.image, a, 1)},
                     {Tensor::of<float>(Shape{}, {0.02F}), true},
                     {byte(a, a == ElementType::kInt8 ? -9 : 120), true},
                     {random_bytes(c.weights, b, 2), true},
                     {row(outputs, 0.001F), true},
                     {byte(b, b_zero), true},
                     {Tensor::of<float>(Shape{}, {0.1F}), true},
                     {byte(a, a == ElementType::kInt8 ? 11 : 128), true},
                     {bias, true}},
          .output = c.result,
          .output_type = a};
}

TEST(ByteKernels, quantised_convolutions_are_what_their_operator_says) {
  for (const Convolution& c : convolutions()) {
    for (const ElementType a : kTypes) {
      for (const ElementType b : kTypes) {
        for (const int b_zero : {0, 17}) {
          SCOPED_TRACE(c.image.text() + c.weights.text() + " zero " + std::to_string(b_zero));
          for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast}) {
            NodeCase given = quantized(c, a, b, b_zero);
            given.given = layout;
            expect_same_bits(given, "bytes");
          }
        }
      }
    }
  }
}

TEST(ByteKernels, depth_wise_convolutions_have_loops_of_their_own) {
  const Convolution c{{1, 80, 9, 7}, {80, 1, 3, 3}, {1, 80, 9, 7}, 1, 1, 1, 80};
  for (const ElementType a : kTypes) {
    expect_same_bits(quantized(c, a, ElementType::kInt8, 0), "depth-wise");
    expect_same_bits(quantized(c, a, ElementType::kUint8, 128), "depth-wise");
  }
}

TEST(ByteKernels, integer_convolutions_are_what_their_operator_says) {
  for (const Convolution& c : convolutions()) {
    SCOPED_TRACE(c.image.text() + c.weights.text());
    const NodeCase given{.node = {.op = "ConvInteger", .attributes = attributes_of(c)},
                         .inputs = {{random_bytes(c.image, ElementType::kUint8, 1)},
                                    {random_bytes(c.weights, ElementType::kInt8, 2), true},
                                    {byte(ElementType::kUint8, 3), true},
                                    {byte(ElementType::kInt8, -5), true}},
                         .output = c.result,
                         .output_type = ElementType::kInt32};
    expect_same_bits(given, "bytes");
  }
}

TEST(ByteKernels, integer_products_are_what_their_operator_says) {
  for (const ElementType a : kTypes) {
    for (const ElementType b : kTypes) {
      const NodeCase given{.node = {.op = "MatMulInteger"},
                           .inputs = {{random_bytes({2, 7, 133}, a, 1)},
                                      {random_bytes({133, 71}, b, 2), true},
                                      {byte(a, 77), true},
                                      {byte(b, 3), true}},
                           .output = {2, 7, 71},
                           .output_type = ElementType::kInt32};
      expect_same_bits(given, "bytes");
    }
  }
}

TEST(ByteKernels, quantisation_is_what_its_operators_say) {
  for (const ElementType type : kTypes) {
    const CaseInput scale{Tensor::of<float>(Shape{}, {0.007F}), true};
    const CaseInput zero{byte(type, 5), true};
    expect_same_bits({.node = {.op = "QuantizeLinear"},
                      .inputs = {{noise({2, 3, 5, 7}, 3)}, scale, zero},
                      .output = {2, 3, 5, 7},
                      .output_type = type},
                     "bytes");
    expect_same_bits({.node = {.op = "DequantizeLinear"},
                      .inputs = {{random_bytes({2, 3, 5, 7}, type, 4)}, scale, zero},
                      .output = {2, 3, 5, 7}},
                     "bytes");
    const Attributes window = {{"kernel_shape", Ints{3, 3}},
                               {"pads", Ints{1, 1, 1, 1}},
                               {"strides", Ints{2, 2}},
                               {"dilations", Ints{1, 1}}};
    expect_same_bits({.node = {.op = "MaxPool", .attributes = window},
                      .inputs = {{random_bytes({2, 67, 9, 9}, type, 4)}},
                      .output = {2, 67, 5, 5},
                      .output_type = type},
                     "bytes");
    expect_same_bits(
        {.node = {.op = "Concat", .attributes = {{"axis", int64_t{1}}}},
         .inputs = {{random_bytes({2, 5, 3, 3}, type, 4)}, {random_bytes({2, 6, 3, 3}, type, 5)}},
         .output = {2, 11, 3, 3},
         .output_type = type,
         .given = Layout::kChannelsLast},
        "loop");
  }
}

// What a hostile model may say that the operator's own function would refuse or do: no kernel of
// ours takes it, and nothing is read that is not there.
TEST(ByteKernels, refuse_operands_that_do_not_fit) {
  const Convolution c{{1, 3, 9, 11}, {5, 3, 3, 3}, {1, 5, 9, 11}, 1, 1};
  const auto refused = [](NodeCase given, size_t input, CaseInput wrong) {
    given.inputs[input] = std::move(wrong);
    const auto got = run_case(given);
    return !got && !got.error().text.empty();
  };
  const NodeCase given = quantized(c, ElementType::kUint8, ElementType::kInt8, 0);
  EXPECT_TRUE(refused(given, 4, {row(4, 1), true}));
  EXPECT_TRUE(refused(given, 5, {random_bytes({4}, ElementType::kInt8, 1), true}));
  EXPECT_TRUE(refused(given, 7, {byte(ElementType::kInt8, 1), true}));
  EXPECT_TRUE(refused(given, 2, {byte(ElementType::kInt8, 1), true}));
  EXPECT_TRUE(refused(given, 8, {*Tensor::zeros(ElementType::kInt32, {4}), true}));
  EXPECT_TRUE(refused(given, 3, {random_bytes({5, 2, 3, 3}, ElementType::kInt8, 1), true}));
}

}  // namespace
}  // namespace casemate::engine
