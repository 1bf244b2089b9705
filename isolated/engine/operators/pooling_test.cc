// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <numeric>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Floats32 = std::vector<float>;
using Numbers64 = std::vector<int64_t>;

// 1, 2, 3, ...
Tensor counted(const Shape& shape) {
  Floats32 values(*shape.element_count());
  std::iota(values.begin(), values.end(), 1.0F);
  return Tensor::of<float>(shape, values);
}

Attributes pool(Numbers64 kernel, Attributes more = {}) {
  more.set("kernel_shape", std::move(kernel));
  return more;
}

TEST(MaxPool, tells_where_the_greatest_were) {
  const Attributes attributes = pool({2, 2}, {{"strides", Numbers64{2, 2}}});
  const auto y = run_node({"MaxPool", attributes, {counted({1, 2, 4, 4})}, 2});
  EXPECT_EQ(values_of<float>(y), (Floats32{6, 8, 14, 16, 22, 24, 30, 32}));
  EXPECT_EQ(values_of<int64_t>(y, 1), (Numbers64{5, 7, 13, 15, 21, 23, 29, 31}));
  auto by_columns = attributes;
  by_columns.set("storage_order", int64_t{1});
  const auto turned = run_node({"MaxPool", by_columns, {counted({1, 2, 2, 4})}, 2});
  EXPECT_EQ(values_of<int64_t>(turned, 1), (Numbers64{3, 7, 11, 15}));
}

TEST(MaxPool, the_first_of_equals_wins_and_nan_is_greatest) {
  const Tensor x = Tensor::of<float>({1, 1, 4}, {1, 1, NAN, 5});
  const auto y = run_node({"MaxPool", pool({2}), {x}, 2});
  EXPECT_TRUE(std::isnan(values_of<float>(y)[1]));
  EXPECT_EQ(values_of<int64_t>(y, 1), (Numbers64{0, 2, 2}));
  constexpr float kLow = -std::numeric_limits<float>::infinity();
  const Tensor low = Tensor::of<float>({1, 1, 2}, {kLow, kLow});
  EXPECT_EQ(values_of<int64_t>(run_node({"MaxPool", pool({2}), {low}, 2}), 1), Numbers64{0});
}

TEST(MaxPool, takes_bytes_and_short_floats) {
  const Tensor bytes = Tensor::of<int8_t>({1, 1, 3}, {-128, -5, 3});
  EXPECT_EQ(values_of<int8_t>(run_node({"MaxPool", pool({2}), {bytes}})),
            (std::vector<int8_t>{-5, 3}));
  const Tensor shorts = Tensor::of<Bfloat16>({1, 1, 2}, {Bfloat16(-2), Bfloat16(-1)});
  EXPECT_EQ(values_of<Bfloat16>(run_node({"MaxPool", pool({2}), {shorts}})),
            std::vector{Bfloat16(-1)});
}

TEST(MaxPool, over_padding_alone_is_lowest_and_nowhere) {
  const Attributes attributes = pool({2}, {{"dilations", Numbers64{2}}, {"pads", Numbers64{1, 1}}});
  const auto y = run_node({"MaxPool", attributes, {counted({1, 1, 1})}, 2});
  EXPECT_EQ(values_of<float>(y), (Floats32{-std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(values_of<int64_t>(y, 1), Numbers64{-1});
  const Attributes by_columns =
      pool({1, 1}, {{"pads", Numbers64{1, 0, 0, 0}}, {"storage_order", int64_t{1}}});
  const Tensor none = Tensor::of<float>({1, 1, 0, 1}, {});
  EXPECT_EQ(values_of<int64_t>(run_node({"MaxPool", by_columns, {none}, 2}), 1), Numbers64{-1});
}

TEST(MaxPool, a_vast_kernel_costs_no_more_than_its_input) {
  constexpr int64_t kVast = 1 << 30;
  const Attributes attributes =
      pool({kVast, kVast},
           {{"pads", Numbers64{kVast, kVast, kVast, kVast}}, {"strides", Numbers64{kVast, kVast}}});
  const auto y = run_node({"MaxPool", attributes, {counted({1, 1, 2, 2})}, 1});
  EXPECT_EQ(values_of<float>(y).size(), 4U);
}

TEST(AveragePool, counts_padding_only_when_it_is_told) {
  Attributes attributes = pool({3}, {{"pads", Numbers64{1, 1}}});
  const Tensor x = Tensor::of<float>({1, 1, 3}, {3, 6, 9});
  EXPECT_EQ(values_of<float>(run_node({"AveragePool", attributes, {x}})),
            (Floats32{4.5F, 6, 7.5F}));
  attributes.set("count_include_pad", int64_t{1});
  EXPECT_EQ(values_of<float>(run_node({"AveragePool", attributes, {x}})), (Floats32{3, 6, 5}));
}

TEST(AveragePool, of_a_rounded_up_output_takes_what_is_there) {
  const Attributes attributes =
      pool({3, 3}, {{"strides", Numbers64{2, 2}}, {"ceil_mode", int64_t{1}}});
  EXPECT_EQ(values_of<float>(run_node({"AveragePool", attributes, {counted({1, 1, 4, 4})}})),
            (Floats32{6, 7.5F, 12, 13.5F}));
}

TEST(AveragePool, dilations_skip_cells) {
  const Attributes attributes = pool({2, 2}, {{"dilations", Numbers64{2, 2}}});
  EXPECT_EQ(values_of<float>(run_node({"AveragePool", attributes, {counted({1, 1, 4, 4})}})),
            (Floats32{6, 7, 10, 11}));
}

TEST(LpPool, takes_any_order_of_norm) {
  const Tensor x = Tensor::of<float>({1, 1, 3}, {3, -4, 0});
  EXPECT_EQ(values_of<float>(run_node({"LpPool", pool({2}), {x}})), (Floats32{5, 4}));
  EXPECT_EQ(values_of<float>(run_node({"LpPool", pool({2}, {{"p", int64_t{1}}}), {x}})),
            (Floats32{7, 4}));
  const auto cubes = values_of<float>(run_node({"LpPool", pool({3}, {{"p", int64_t{3}}}), {x}}));
  EXPECT_NEAR(cubes[0], 4.4979F, 1e-4);
  // Version 1 had a float.
  EXPECT_EQ(values_of<float>(run_node({"LpPool", pool({2}, {{"p", 1.0F}}), {x}, 1, 1})),
            (Floats32{7, 4}));
}

TEST(GlobalPool, takes_all_cells_of_a_channel) {
  const Tensor x = Tensor::of<float>({1, 2, 1, 2}, {3, -4, 5, 12});
  EXPECT_EQ(values_of<float>(run_node({"GlobalAveragePool", {}, {x}})), (Floats32{-0.5F, 8.5F}));
  EXPECT_EQ(values_of<float>(run_node({"GlobalMaxPool", {}, {x}})), (Floats32{3, 12}));
  const auto norms = run_node({"GlobalLpPool", {}, {x}});
  EXPECT_EQ(values_of<float>(norms), (Floats32{5, 13}));
  EXPECT_EQ((*norms)[0].tensor()->shape(), (Shape{1, 2, 1, 1}));
  const Tensor none = Tensor::of<float>({1, 1, 0}, {});
  EXPECT_TRUE(std::isnan(values_of<float>(run_node({"GlobalAveragePool", {}, {none}}))[0]));
  EXPECT_EQ(error_of(run_node({"GlobalMaxPool", {}, {Tensor::of<float>({1}, {1})}})),
            "its input [1] is no image [N,C,...]");
}

TEST(MaxUnpool, puts_the_greatest_back) {
  const Attributes attributes = pool({2, 2}, {{"strides", Numbers64{2, 2}}});
  const Tensor x = Tensor::of<float>({1, 1, 1, 2}, {6, 8});
  const Tensor indices = Tensor::of<int64_t>({1, 1, 1, 2}, {5, 7});
  EXPECT_EQ(values_of<float>(run_node({"MaxUnpool", attributes, {x, indices}})),
            (Floats32{0, 0, 0, 0, 0, 6, 0, 8}));
  const Tensor shape = Tensor::of<int64_t>({4}, {1, 1, 2, 5});
  EXPECT_EQ(values_of<float>(run_node({"MaxUnpool", attributes, {x, indices, shape}})),
            (Floats32{0, 0, 0, 0, 0, 0, 6, 0, 8, 0}));
}

TEST(MaxUnpool, indices_outside_of_its_output_are_refused) {
  const Attributes attributes = pool({2}, {{"strides", Numbers64{2}}});
  const auto error = [&](int64_t index, std::vector<int64_t> shape) {
    const Tensor x = Tensor::of<float>({1, 1, 1}, {6});
    const Shape rank = {static_cast<int64_t>(shape.size())};
    return error_of(run_node({"MaxUnpool",
                              attributes,
                              {x, Tensor::of<int64_t>({1, 1, 1}, {index}),
                               Tensor::of<int64_t>(rank, std::span<const int64_t>(shape))}}));
  };
  EXPECT_EQ(error(2, {1, 1, 2}), "its index 2 is outside of the 2 cells of [1,1,2]");
  EXPECT_EQ(error(-1, {1, 1, 2}), "its index -1 is outside of the 2 cells of [1,1,2]");
  EXPECT_EQ(error(0, {1, 1, 1}),
            "its output_shape does not hold the shape [1,1,2] that it unpools "
            "to");
  EXPECT_EQ(error(0, {1, 1}),
            "its output_shape does not hold the shape [1,1,2] that it unpools to");
  EXPECT_EQ(error(0, {1, 1, INT64_MAX}),
            "shape [1,1,9223372036854775807] has more than 2^62 elements");
}

TEST(Pooling, what_makes_no_window_is_refused) {
  const Tensor x = counted({1, 1, 3});
  EXPECT_EQ(error_of(run_node({"MaxPool", {}, {x}})), "attribute 'kernel_shape' is missing");
  EXPECT_EQ(error_of(run_node({"AveragePool", pool({4}), {x}})),
            "its kernel reaches over 4 cells of dimension 2, the padded input has 3");
  EXPECT_EQ(error_of(run_node({"LpPool", pool({1, 1}), {x}})),
            "attribute 'kernel_shape' has 2 values, it needs 1");
  EXPECT_EQ(error_of(run_node({"MaxPool", pool({1}, {{"strides", Numbers64{-1}}}), {x}})),
            "attribute 'strides' has the value -1, expected 1 to 2^30");
  EXPECT_EQ(error_of(run_node({"AveragePool", pool({1}), {Tensor::of<int8_t>({1, 1, 1}, {1})}})),
            "it is not defined for tensors of INT8");
}

TEST(Pooling, without_elements_no_extent_is_too_large) {
  const Tensor x = Tensor::of<float>({0, 1, int64_t{1} << 61}, {});
  EXPECT_EQ(values_of<float>(run_node({"MaxPool", pool({1}), {x}, 2})), Floats32());
}

}  // namespace
}  // namespace casemate::engine
