// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

TEST(Shapes, reshape_copies_zeros_and_infers_one_extent) {
  const Tensor x = counting({2, 3, 4});
  EXPECT_EQ(shape_of(run_node({"Reshape", {}, {x, list({0, -1})}})), "[2,12]");
  EXPECT_EQ(shape_of(run_node({"Reshape", {}, {x, list({4, 2, 3})}})), "[4,2,3]");
  EXPECT_EQ(shape_of(run_node({"Reshape", {}, {counting({1}), list({})}})), "[]");
  const auto y = run_node({"Reshape", {}, {x, list({24})}});
  EXPECT_EQ(values_of<float>(y)[23], 23);
  EXPECT_TRUE((*y)[0].tensor()->shares_with(x));
}

TEST(Shapes, reshape_takes_zeros_as_such_when_told_so) {
  const Tensor x = counting({0, 3});
  const Attributes zeros = {{"allowzero", int64_t{1}}};
  EXPECT_EQ(shape_of(run_node({"Reshape", zeros, {x, list({3, 0})}})), "[3,0]");
  EXPECT_EQ(shape_of(run_node({"Reshape", {}, {x, list({0, 5})}})), "[0,5]");
  EXPECT_EQ(shape_of(run_node({"Reshape", zeros, {x, list({0, -1})}})),
            "0 elements of shape [0,3] leave no extent for the -1 in its shape");
}

TEST(Shapes, the_first_reshape_has_its_shape_as_an_attribute) {
  const Attributes shape = {{"shape", std::vector<int64_t>{-1, 2}}};
  EXPECT_EQ(shape_of(run_node({"Reshape", shape, {counting({2, 3})}, 1, 1})), "[3,2]");
}

TEST(Shapes, reshapes_that_do_not_fit_are_refused) {
  const Tensor x = counting({2, 3});
  const auto refusal = [&](std::initializer_list<int64_t> shape) {
    return error_of(run_node({"Reshape", {}, {x, list(shape)}}));
  };
  EXPECT_EQ(refusal({-1, -1}), "its shape has more than one extent of -1");
  EXPECT_EQ(refusal({4}), "6 elements of shape [2,3] do not fill the shape [4]");
  EXPECT_EQ(refusal({-1, 4}), "6 elements of shape [2,3] leave no extent for the -1 in its shape");
  EXPECT_EQ(refusal({6, 1, 0}), "its shape copies extent 2 of an input of shape [2,3]");
  EXPECT_EQ(refusal({-2, -3}), "shape [-2,-3] has a negative extent");
  EXPECT_EQ(refusal({1, 1, 1, 1, 1, 1, 1, 1, 6}), "a tensor of rank 9 is over the limit of 8");
  EXPECT_EQ(refusal({INT64_MAX, INT64_MAX}),
            "shape [9223372036854775807,9223372036854775807] has more than 2^62 elements");
}

TEST(Shapes, flatten_makes_a_matrix_at_an_axis) {
  const Tensor x = counting({2, 3, 4});
  const auto flat = [&](int64_t axis) {
    return shape_of(run_node({"Flatten", {{"axis", axis}}, {x}}));
  };
  EXPECT_EQ(flat(0), "[1,24]");
  EXPECT_EQ(flat(2), "[6,4]");
  EXPECT_EQ(flat(3), "[24,1]");
  EXPECT_EQ(flat(-1), "[6,4]");
  EXPECT_EQ(flat(4), "axis 4 is none of a tensor of rank 3");
  EXPECT_EQ(flat(INT64_MIN), "axis -9223372036854775808 is none of a tensor of rank 3");
  EXPECT_EQ(shape_of(run_node({"Flatten", {{"axis", int64_t{0}}}, {counting({})}})), "[1,1]");
}

TEST(Shapes, squeeze_drops_ones) {
  const Tensor x = counting({1, 3, 1, 5});
  EXPECT_EQ(shape_of(run_node({"Squeeze", {}, {x}})), "[3,5]");
  EXPECT_EQ(shape_of(run_node({"Squeeze", {}, {x, list({-2})}})), "[1,3,5]");
  const Attributes axes = {{"axes", std::vector<int64_t>{0, 2}}};
  EXPECT_EQ(shape_of(run_node({"Squeeze", axes, {x}, 1, 11})), "[3,5]");
  EXPECT_EQ(error_of(run_node({"Squeeze", {}, {x, list({1})}})),
            "axis 1 of shape [1,3,1,5] is not 1 and cannot be dropped");
  EXPECT_EQ(error_of(run_node({"Squeeze", {}, {x, list({0, -4})}})), "axis 0 is stated twice");
}

TEST(Shapes, unsqueeze_adds_ones) {
  const Tensor x = counting({3, 4});
  EXPECT_EQ(shape_of(run_node({"Unsqueeze", {}, {x, list({4, 0, 2})}})), "[1,3,1,4,1]");
  EXPECT_EQ(shape_of(run_node({"Unsqueeze", {}, {x, list({-1})}})), "[3,4,1]");
  const Attributes axes = {{"axes", std::vector<int64_t>{1}}};
  EXPECT_EQ(shape_of(run_node({"Unsqueeze", axes, {x}, 1, 1})), "[3,1,4]");
  EXPECT_EQ(error_of(run_node({"Unsqueeze", {}, {x, list({1, 1})}})), "axis 1 is stated twice");
  EXPECT_EQ(error_of(run_node({"Unsqueeze", {}, {x, list({3})}})),
            "axis 3 is none of a tensor of rank 3");
  EXPECT_EQ(error_of(run_node({"Unsqueeze", {}, {x, list({0, 1, 2, 3, 4, 5, 6})}})),
            "a tensor of rank 9 is over the limit of 8");
  EXPECT_EQ(error_of(run_node({"Unsqueeze", {}, {x}})), "it does not say which axes to add");
}

TEST(Shapes, a_shape_is_known_before_its_elements_are) {
  const NodeRun run = {
      "Shape", {{"start", int64_t{-2}}, {"end", int64_t{9}}}, {counting({2, 3, 4})}};
  EXPECT_EQ(values_of<int64_t>(run_node(run)), (std::vector<int64_t>{3, 4}));
  const auto foretold = foretell(run, {false});
  ASSERT_TRUE(foretold && (*foretold)[0].datum != nullptr);
}

TEST(Shapes, parts_of_shapes_are_clamped) {
  const auto part = [](int64_t start, int64_t end) {
    return values_of<int64_t>(
        run_node({"Shape", {{"start", start}, {"end", end}}, {counting({2, 3, 4})}}));
  };
  EXPECT_EQ(part(0, -1), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(part(INT64_MIN, INT64_MAX), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(part(2, 1), std::vector<int64_t>());
  EXPECT_EQ(values_of<int64_t>(run_node({"Size", {}, {counting({2, 3, 4})}})),
            std::vector<int64_t>{24});
}

TEST(Shapes, expand_repeats_as_broadcasting_does) {
  const Tensor x = Tensor::of<int16_t>({2, 1}, {7, 8});
  const auto y = run_node({"Expand", {}, {x, list({2, 1, 3})}});
  EXPECT_EQ(shape_of(y), "[2,2,3]");
  EXPECT_EQ(values_of<int16_t>(y), (std::vector<int16_t>{7, 7, 7, 8, 8, 8, 7, 7, 7, 8, 8, 8}));
  EXPECT_EQ(shape_of(run_node({"Expand", {}, {x, list({1})}})), "[2,1]");
  EXPECT_EQ(shape_of(run_node({"Expand", {}, {x, list({0})}})), "[2,0]");
  EXPECT_EQ(
      error_of(run_node({"Expand", {}, {x, list({3, 1})}})),
      "its operands have the shapes [2,1] and [3,1], which cannot be broadcast to each other");
  EXPECT_EQ(error_of(run_node({"Expand", {}, {x, list({-1})}})),
            "shape [-1] has a negative extent");
  EXPECT_EQ(error_of(run_node({"Expand", {}, {x, list({1 << 30, 1, 1})}})),
            "more than a test may have");
}

TEST(Shapes, text_is_expanded_as_far_as_there_is_memory) {
  const Tensor x = texts({1}, {std::string(1 << 20, 'x')});
  EXPECT_EQ(
      values_of<std::string>(run_node({"Expand", {}, {texts({2, 1}, {"a", "b"}), list({2})}})),
      (std::vector<std::string>{"a", "a", "b", "b"}));
  EXPECT_EQ(error_of(run_node({"Expand", {}, {x, list({65})}})), "more than a test may have");
}

TEST(Shapes, transpose_reverses_axes_or_orders_them) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(values_of<float>(run_node({"Transpose", {}, {x}})),
            (std::vector<float>{0, 3, 1, 4, 2, 5}));
  const Attributes order = {{"perm", std::vector<int64_t>{1, 2, 0}}};
  const auto y = run_node({"Transpose", order, {counting({2, 1, 3})}});
  EXPECT_EQ(shape_of(y), "[1,3,2]");
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(shape_of(run_node({"Transpose", {}, {counting({})}})), "[]");
  EXPECT_EQ(shape_of(run_node({"Transpose", order, {counting({2, 0, 3})}})), "[0,3,2]");
}

TEST(Shapes, transpose_moves_elements_of_every_size) {
  const Tensor bytes = Tensor::of<uint8_t>({2, 2}, {1, 2, 3, 4});
  const Tensor halves =
      Tensor::of<Float16>({2, 2}, {Float16(1), Float16(2), Float16(3), Float16(4)});
  const Tensor longs = Tensor::of<int64_t>({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(values_of<uint8_t>(run_node({"Transpose", {}, {bytes}})),
            (std::vector<uint8_t>{1, 3, 2, 4}));
  EXPECT_EQ(values_of<Float16>(run_node({"Transpose", {}, {halves}})),
            (std::vector<Float16>{Float16(1), Float16(3), Float16(2), Float16(4)}));
  EXPECT_EQ(values_of<int64_t>(run_node({"Transpose", {}, {longs}})),
            (std::vector<int64_t>{1, 3, 2, 4}));
  EXPECT_EQ(
      values_of<std::string>(run_node({"Transpose", {}, {texts({2, 2}, {"a", "b", "c", "d"})}})),
      (std::vector<std::string>{"a", "c", "b", "d"}));
}

TEST(Shapes, orders_that_are_none_are_refused) {
  const auto refusal = [](std::vector<int64_t> order) {
    return error_of(run_node({"Transpose", {{"perm", order}}, {counting({2, 3})}}));
  };
  EXPECT_EQ(refusal({0}), "its order has 1 axes, its input 2");
  EXPECT_EQ(refusal({0, 0}), "axis 0 is stated twice");
  EXPECT_EQ(refusal({0, 7}), "axis 7 is none of a tensor of rank 2");
  EXPECT_EQ(refusal({0, -1}), "its order has a negative axis");
}

}  // namespace
}  // namespace casemate::engine
