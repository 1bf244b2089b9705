// SPDX-License-Identifier: Apache-2.0
// Operators that move, join, convert or reduce elements.
#include <gtest/gtest.h>

#include <limits>

#include "isolated/engine/kernels/node_case.h"
#include "isolated/engine/kernels/reference.h"

namespace casemate::engine {
namespace {

using Ints = std::vector<int64_t>;

// 0, 1, 2, ... so that an element says where it came from.
Tensor counting(const Shape& shape) {
  Tensor tensor = *Tensor::zeros(ElementType::kFloat32, shape);
  float next = 0;
  for (float& value : tensor.values<float>()) value = next++;
  return tensor;
}

// Runs the node and expects element `index` of the output to be what `from` finds in the input.
template <class From>
void expect_moved(Node node, const Tensor& x, const Shape& output, From from,
                  std::vector<CaseInput> more = {}) {
  std::vector<CaseInput> inputs = {{x}};
  inputs.insert(inputs.end(), more.begin(), more.end());
  const auto result = run_case({.node = std::move(node), .inputs = inputs, .output = output});
  ASSERT_TRUE(result) << result.error().text;
  std::vector<double> expected;
  for_each_index(dims_of(output),
                 [&](const Ints& index) { expected.push_back(static_cast<double>(from(index))); });
  EXPECT_TRUE(near(result->output, expected, 0));
}

TEST(Copy, transposes_by_any_permutation) {
  const Tensor x = counting({2, 3, 4, 5});
  Ints order = {0, 1, 2, 3};
  do {
    Shape output = x.shape();
    for (size_t i = 0; i < 4; ++i) output[i] = x.shape()[static_cast<size_t>(order[i])];
    expect_moved({.op = "Transpose", .attributes = {{"perm", order}}}, x, output,
                 [&](const Ints& index) {
                   Ints source(4);
                   for (size_t i = 0; i < 4; ++i) source[static_cast<size_t>(order[i])] = index[i];
                   return flat(x.shape(), source);
                 });
  } while (std::ranges::next_permutation(order).found);
}

TEST(Copy, transposes_six_dimensions_as_pixel_shuffles_do) {
  const Tensor x = counting({2, 1, 3, 3, 4, 4});
  const Ints order = {0, 1, 4, 2, 5, 3};
  expect_moved(
      {.op = "Transpose", .attributes = {{"perm", order}}}, x, {2, 1, 4, 3, 4, 3},
      [&](const Ints& i) { return flat(x.shape(), {i[0], i[1], i[3], i[5], i[2], i[4]}); });
}

TEST(Copy, slices_forwards_backwards_and_with_steps) {
  const Tensor x = counting({4, 5, 6});
  expect_moved(
      {.op = "Slice", .attributes = {{"starts", Ints{1, 4, 0}}, {"steps", Ints{1, -2, 3}}}}, x,
      {2, 3, 2},
      [&](const Ints& i) { return flat(x.shape(), {i[0] + 1, 4 - 2 * i[1], 3 * i[2]}); });
}

TEST(Copy, refuses_a_slice_that_leaves_its_input) {
  const NodeCase beyond{
      .node = {.op = "Slice", .attributes = {{"starts", Ints{3}}, {"steps", Ints{1}}}},
      .inputs = {{counting({4})}},
      .output = {2}};
  EXPECT_EQ(run_case(beyond).error().code, Code::kInvalid);
  NodeCase before = beyond;
  before.node.attributes.set("steps", Ints{-4});
  EXPECT_EQ(run_case(before).error().code, Code::kInvalid);
}

TEST(Copy, expands_by_repeating) {
  const Tensor x = counting({3, 1});
  expect_moved({.op = "Expand"}, x, {2, 3, 4}, [&](const Ints& i) { return i[1]; });
  expect_moved({.op = "Expand"}, counting({}), {2, 2}, [](const Ints&) { return 0; });
}

TEST(Copy, pads_with_a_constant) {
  const Tensor x = counting({2, 3});
  expect_moved({.op = "Pad", .attributes = {{"pads", Ints{1, 0, 0, 2}}}}, x, {3, 5},
               [](const Ints& i) {
                 return i[0] >= 1 && i[1] < 3 ? static_cast<double>((i[0] - 1) * 3 + i[1]) : -7.0;
               },
               {{Tensor::of<float>({}, {-7.0F}), true}});
}

TEST(Copy, moves_nothing_where_there_is_nothing) {
  const auto expect_empty = [](Node node, const Shape& input, const Shape& output) {
    const auto result =
        run_case({.node = std::move(node), .inputs = {{counting(input)}}, .output = output});
    ASSERT_TRUE(result) << result.error().text;
    EXPECT_EQ(result->output.count(), 0u);
  };
  expect_empty({.op = "Transpose", .attributes = {{"perm", Ints{2, 0, 1}}}}, {4, 0, 3}, {3, 4, 0});
  expect_empty({.op = "Slice", .attributes = {{"starts", Ints{0, 0}}, {"steps", Ints{1, 1}}}},
               {4, 5}, {4, 0});
  expect_empty({.op = "Expand"}, {0, 1}, {0, 7});
}

TEST(Copy, moves_elements_of_every_size) {
  const auto x = Tensor::of<int64_t>({2, 2}, {1, 2, 3, 1LL << 40});
  const NodeCase made{.node = {.op = "Transpose", .attributes = {{"perm", Ints{1, 0}}}},
                      .inputs = {{x}},
                      .output = {2, 2},
                      .output_type = ElementType::kInt64};
  const auto result = run_case(made);
  ASSERT_TRUE(result) << result.error().text;
  const auto values = result->output.values<int64_t>();
  EXPECT_EQ(std::vector(values.begin(), values.end()), (Ints{1, 3, 2, 1LL << 40}));
}

TEST(Copy, a_reshape_is_a_view) {
  const auto result =
      run_case({.node = {.op = "Reshape"}, .inputs = {{counting({2, 3})}}, .output = {6}});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->needs.view);
  EXPECT_FALSE(
      run_case({.node = {.op = "Reshape"}, .inputs = {{counting({2, 3})}}, .output = {5}}));
}

TEST(Concat, joins_along_any_axis_in_any_layout) {
  for (const int64_t axis : {0, 1, 2, 3, -1}) {
    for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast, Layout::kBlocked16}) {
      const auto along = static_cast<size_t>(axis < 0 ? axis + 4 : axis);
      Shape first{2, 16, 3, 4};
      Shape second = first;
      second[along] += 3;
      Shape output = first;
      output[along] += second[along];
      const Tensor a = noise(first, 1);
      const Tensor b = noise(second, 2);
      const NodeCase made{.node = {.op = "Concat", .attributes = {{"axis", axis}}},
                          .inputs = {{a}, {b, axis == 1}},
                          .output = output,
                          .given = layout};
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      std::vector<double> expected;
      for_each_index(dims_of(output), [&](Ints index) {
        const bool left = index[along] < first[along];
        if (!left) index[along] -= first[along];
        expected.push_back(left ? a.values<float>()[flat(first, index)]
                                : b.values<float>()[flat(second, index)]);
      });
      EXPECT_TRUE(near(result->output, expected, 0)) << axis << " " << name_of(layout);
    }
  }
}

TEST(Reduction, reduces_the_axes_it_is_given) {
  const Shape shape{3, 4, 5};
  const Tensor x = noise(shape, 1);
  for (const Ints& axes :
       {Ints{0}, Ints{1}, Ints{2}, Ints{0, 2}, Ints{1, 2}, Ints{-1}, Ints{0, 1, 2}, Ints{}}) {
    Shape output = shape;
    std::vector<bool> reduced(3, axes.empty());
    for (const int64_t axis : axes) reduced[static_cast<size_t>(axis < 0 ? axis + 3 : axis)] = true;
    double count = 1;
    for (size_t i = 0; i < 3; ++i) {
      if (reduced[i]) {
        count *= static_cast<double>(shape[i]);
        output[i] = 1;
      }
    }
    std::vector<double> sum(*output.element_count(), 0);
    std::vector<double> most(sum.size(), -INFINITY);
    for_each_index(dims_of(shape), [&](Ints index) {
      const double value = x.values<float>()[flat(shape, index)];
      for (size_t i = 0; i < 3; ++i) {
        if (reduced[i]) index[i] = 0;
      }
      sum[flat(output, index)] += value;
      most[flat(output, index)] = std::max(most[flat(output, index)], value);
    });
    std::vector<double> mean = sum;
    for (double& value : mean) value /= count;
    for (const auto& [op, expected] : {std::pair{"ReduceSum", sum}, std::pair{"ReduceMean", mean},
                                       std::pair{"ReduceMax", most}}) {
      const auto result = run_case(
          {.node = {.op = op, .attributes = {{"axes", axes}}}, .inputs = {{x}}, .output = output});
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_TRUE(near(result->output, expected)) << op;
    }
  }
}

TEST(Cast, clamps_what_an_integer_cannot_hold) {
  const auto x = Tensor::of<float>({6}, {1.9F, -1.9F, 1e20F, -1e20F, NAN, 0.0F});
  const NodeCase made{
      .node = {.op = "Cast"}, .inputs = {{x}}, .output = {6}, .output_type = ElementType::kInt32};
  const auto result = run_case(made);
  ASSERT_TRUE(result) << result.error().text;
  const auto values = result->output.values<int32_t>();
  EXPECT_EQ(std::vector<int32_t>(values.begin(), values.end()),
            (std::vector<int32_t>{1, -1, INT32_MAX, INT32_MIN, 0, 0}));
}

TEST(Registry, names_the_node_and_the_type_it_has_no_kernel_for) {
  const NodeCase whole{.node = {.op = "Relu"},
                       .inputs = {{Tensor::of<int64_t>({1}, {1})}},
                       .output = {1},
                       .output_type = ElementType::kInt64};
  EXPECT_NE(run_case(whole).error().text.find(
                "node 'case' (Relu): this operator has no kernel for INT64"),
            std::string::npos);
  const NodeCase unknown{.node = {.op = "Frobnicate"}, .inputs = {{counting({1})}}, .output = {1}};
  EXPECT_NE(run_case(unknown).error().text.find("is not supported"), std::string::npos);
}

TEST(Layout, same_placement_is_what_it_says) {
  EXPECT_TRUE(same_placement({1, 1, 5, 5}, Layout::kRowMajor, Layout::kChannelsLast));
  EXPECT_TRUE(same_placement({4, 32, 1, 1}, Layout::kBlocked16, Layout::kRowMajor));
  EXPECT_TRUE(same_placement({1, 16, 3, 3}, Layout::kBlocked16, Layout::kChannelsLast));
  EXPECT_FALSE(same_placement({4, 33, 1, 1}, Layout::kBlocked16, Layout::kRowMajor));
  EXPECT_FALSE(same_placement({1, 3, 5, 5}, Layout::kRowMajor, Layout::kChannelsLast));
  EXPECT_FALSE(same_placement({4, 4}, Layout::kRowMajor, Layout::kChannelsLast));
}

}  // namespace
}  // namespace casemate::engine
