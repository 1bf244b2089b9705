// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Numbers64 = std::vector<int64_t>;

template <class T>
Tensor scalar(T value) {
  return Tensor::of<T>({}, {value});
}

const Tensor kImage = Tensor::of<uint8_t>({1, 1, 3, 3}, {2, 3, 4, 5, 6, 7, 8, 9, 10});
const Tensor kOnes = Tensor::of<uint8_t>({1, 1, 2, 2}, {1, 1, 1, 1});

TEST(ConvInteger, subtracts_the_zero_points_and_pads_with_them) {
  EXPECT_EQ(values_of<int32_t>(run_node({"ConvInteger", {}, {kImage, kOnes, scalar<uint8_t>(1)}})),
            (std::vector<int32_t>{12, 16, 24, 28}));
  const Attributes padded = {{"pads", Numbers64{1, 1, 1, 1}}};
  const auto all =
      values_of<int32_t>(run_node({"ConvInteger", padded, {kImage, kOnes, scalar<uint8_t>(1)}}));
  EXPECT_EQ(all, (std::vector<int32_t>{1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9}));
}

TEST(ConvInteger, gives_each_output_channel_its_zero_point) {
  const Tensor x = Tensor::of<int8_t>({1, 2, 1}, {10, -10});
  const Tensor w = Tensor::of<int8_t>({2, 1, 1}, {5, 5});
  const Tensor zeros = Tensor::of<int8_t>({2}, {1, -128});
  const auto y = run_node({"ConvInteger", {{"group", int64_t{2}}}, {x, w, Datum(), zeros}});
  EXPECT_EQ(values_of<int32_t>(y), (std::vector<int32_t>{40, -1330}));
}

TEST(ConvInteger, zero_points_that_fit_nothing_are_refused) {
  const Tensor two = Tensor::of<uint8_t>({2}, {1, 2});
  EXPECT_EQ(error_of(run_node({"ConvInteger", {}, {kImage, kOnes, two}})),
            "its input 2 of shape [2] should have one element");
  EXPECT_EQ(error_of(run_node({"ConvInteger", {}, {kImage, kOnes, scalar<int8_t>(1)}})),
            "its input 2 is a tensor of INT8, it takes one of UINT8");
  const Tensor floats = Tensor::of<float>({1, 1, 3, 3}, std::vector<float>(9));
  EXPECT_EQ(error_of(run_node({"ConvInteger", {}, {floats, kOnes}})),
            "it is not defined for tensors of FP32");
}

// A kernel of one cell: each output is an input times a weight, scaled.
std::vector<Datum> quantized(std::initializer_list<uint8_t> x, const Tensor& weights,
                             const Tensor& weight_scales, float y_scale, const Tensor& y_zero) {
  return {Tensor::of<uint8_t>({1, 1, static_cast<int64_t>(x.size())}, x),
          scalar<float>(1),
          scalar<uint8_t>(0),
          weights,
          weight_scales,
          scalar<int8_t>(0),
          scalar<float>(y_scale),
          y_zero};
}

TEST(QLinearConv, rounds_halves_to_even_and_keeps_within_its_type) {
  const Tensor one = Tensor::of<int8_t>({1, 1, 1}, {1});
  const auto inputs = quantized({1, 3, 5, 200}, one, scalar<float>(1), 2, scalar<uint8_t>(1));
  EXPECT_EQ(values_of<uint8_t>(run_node({"QLinearConv", {}, inputs})),
            (std::vector<uint8_t>{1, 3, 3, 101}));
  const auto small = quantized({1, 100, 200, 255}, one, scalar<float>(2), 1, scalar<int8_t>(-10));
  EXPECT_EQ(values_of<int8_t>(run_node({"QLinearConv", {}, small})),
            (std::vector<int8_t>{-8, 127, 127, 127}));
}

TEST(QLinearConv, scales_each_output_channel_and_adds_its_bias) {
  const Tensor weights = Tensor::of<int8_t>({2, 1, 1}, {1, -1});
  const Tensor scales = Tensor::of<float>({2}, {1, 3});
  auto inputs = quantized({10}, weights, scales, 1, scalar<int8_t>(0));
  inputs.emplace_back(Tensor::of<int32_t>({2}, {5, 0}));
  EXPECT_EQ(values_of<int8_t>(run_node({"QLinearConv", {}, inputs})),
            (std::vector<int8_t>{15, -30}));
}

TEST(QLinearConv, a_scale_of_zero_keeps_within_its_type) {
  const Tensor one = Tensor::of<int8_t>({1, 1, 1}, {1});
  const auto inputs = quantized({0, 1}, one, scalar<float>(1), 0, scalar<int8_t>(0));
  EXPECT_EQ(values_of<int8_t>(run_node({"QLinearConv", {}, inputs})),
            (std::vector<int8_t>{0, 127}));
}

TEST(QLinearConv, scales_and_types_that_fit_nothing_are_refused) {
  const Tensor one = Tensor::of<int8_t>({1, 1, 1}, {1});
  auto inputs = quantized({1}, one, Tensor::of<float>({2}, {1, 1}), 1, scalar<int8_t>(0));
  EXPECT_EQ(error_of(run_node({"QLinearConv", {}, inputs})),
            "its input 4 of shape [2] should have one element");
  inputs = quantized({1}, one, scalar<double>(1), 1, scalar<int8_t>(0));
  EXPECT_EQ(error_of(run_node({"QLinearConv", {}, inputs})),
            "its input 4 is a tensor of FP64, it takes one of FP32");
  inputs = quantized({1}, one, scalar<float>(1), 1, scalar<int32_t>(0));
  EXPECT_EQ(error_of(run_node({"QLinearConv", {}, inputs})),
            "it is not defined for tensors of INT32");
  inputs = quantized({1}, one, Tensor::of<float>({0}, {}), 1, scalar<int8_t>(0));
  EXPECT_EQ(error_of(run_node({"QLinearConv", {}, inputs})),
            "its input 4 of shape [0] should have one element");
}

}  // namespace
}  // namespace casemate::engine
