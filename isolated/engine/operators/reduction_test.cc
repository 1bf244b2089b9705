// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

using Longs = std::vector<int64_t>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor axes(std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

TEST(Reduction, axes_come_as_an_input_or_in_old_versions_as_an_attribute) {
  const Tensor x = counting({2, 3});
  const auto now = run_node({"ReduceSum", {}, {x, axes({-1})}});
  EXPECT_EQ(values_of<float>(now), (std::vector<float>{3, 12}));
  EXPECT_EQ(shape_made(now), (Shape{2, 1}));
  const Attributes old = {{"axes", Longs{0}}, {"keepdims", int64_t{0}}};
  const auto then = run_node({.op = "ReduceSum", .attributes = old, .inputs = {x}, .since = 11});
  EXPECT_EQ(values_of<float>(then), (std::vector<float>{3, 5, 7}));
  EXPECT_EQ(shape_made(then), (Shape{3}));
  const auto mean = run_node({.op = "ReduceMean", .attributes = old, .inputs = {x}, .since = 13});
  EXPECT_EQ(values_of<float>(mean), (std::vector<float>{1.5, 2.5, 3.5}));
}

TEST(Reduction, without_axes_all_are_meant_unless_none_are) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(shape_made(run_node({"ReduceSum", {}, {x}})), (Shape{1, 1}));
  EXPECT_EQ(values_of<float>(run_node({"ReduceSum", {}, {x, axes({})}})), (std::vector<float>{15}));
  const Attributes noop = {{"noop_with_empty_axes", int64_t{1}}};
  EXPECT_EQ(values_of<float>(run_node({"ReduceSum", noop, {x, axes({})}})),
            (std::vector<float>{0, 1, 2, 3, 4, 5}));
  // No element is joined with another one, but each is squared.
  EXPECT_EQ(values_of<float>(run_node({"ReduceSumSquare", noop, {x}})),
            (std::vector<float>{0, 1, 4, 9, 16, 25}));
}

TEST(Reduction, any_axes_give_what_adding_one_by_one_gives) {
  const Shape shape{2, 3, 1, 4, 5};
  const Tensor x = counting(shape);
  for (int64_t mask = 1; mask < 32; ++mask) {
    std::vector<int64_t> list;
    for (int64_t axis = 0; axis < 5; ++axis) {
      if (((mask >> axis) & 1) != 0) list.push_back(axis);
    }
    std::map<Longs, double> sums;
    for (int64_t i = 0; i < 120; ++i) {
      Longs index = {i / 60, i / 20 % 3, 0, i / 5 % 4, i % 5};
      for (const int64_t axis : list) index[axis] = 0;
      sums[index] += static_cast<double>(i);
    }
    std::vector<double> wanted;
    for (const auto& [index, sum] : sums) wanted.push_back(sum);
    const auto y = run_node({"ReduceSum",
                             {},
                             {x, Tensor::of<int64_t>({static_cast<int64_t>(list.size())},
                                                     std::span<const int64_t>(list))}});
    expect_near(y, wanted, 0);
  }
}

TEST(Reduction, each_reduction_is_what_it_is_named_for) {
  const Tensor x = Tensor::of<float>({4}, {1, -2, 3, 4});
  const auto of = [&](const std::string& op) { return run_node({op, {}, {x}}); };
  expect_near(of("ReduceSum"), {6});
  expect_near(of("ReduceMean"), {1.5});
  expect_near(of("ReduceMax"), {4});
  expect_near(of("ReduceMin"), {-2});
  expect_near(of("ReduceProd"), {-24});
  expect_near(of("ReduceL1"), {10});
  expect_near(of("ReduceL2"), {5.47722558});
  expect_near(of("ReduceLogSum"), {1.79175947});
  expect_near(of("ReduceLogSumExp"), {4.35075903});  // log(e + e^-2 + e^3 + e^4)
  expect_near(of("ReduceSumSquare"), {30});
}

TEST(Reduction, columns_and_rows_agree_for_each_reduction) {
  const Tensor rows = Tensor::of<float>({2, 3}, {1, -2, 3, 0.5F, 4, -1});
  const Tensor columns = Tensor::of<float>({3, 2}, {1, 0.5F, -2, 4, 3, -1});
  for (const char* op :
       {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
        "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"}) {
    const auto row = values_of<float>(run_node({op, {}, {rows, axes({1})}}));
    const auto column = values_of<float>(run_node({op, {}, {columns, axes({0})}}));
    EXPECT_EQ(row, column) << op;
  }
}

TEST(Reduction, of_nothing_is_what_changes_nothing) {
  const Tensor x = Tensor::of<float>({2, 0, 2}, {});
  const auto of = [&](const std::string& op) { return run_node({op, {}, {x, axes({1})}}); };
  expect_near(of("ReduceSum"), {0, 0, 0, 0});
  expect_near(of("ReduceProd"), {1, 1, 1, 1});
  expect_near(of("ReduceMax"), std::vector<double>(4, -kInfinity));
  expect_near(of("ReduceMin"), std::vector<double>(4, kInfinity));
  expect_near(of("ReduceL1"), {0, 0, 0, 0});
  expect_near(of("ReduceL2"), {0, 0, 0, 0});
  expect_near(of("ReduceSumSquare"), {0, 0, 0, 0});
  expect_near(of("ReduceLogSum"), std::vector<double>(4, -kInfinity));
  expect_near(of("ReduceLogSumExp"), std::vector<double>(4, -kInfinity));
  expect_near(of("ReduceMean"), std::vector<double>(4, std::nan("")));
  EXPECT_EQ(shape_made(run_node({"ReduceSum", {}, {x, axes({0})}})), (Shape{1, 0, 2}));
  const Tensor none = Tensor::of<int32_t>({0}, {});
  EXPECT_EQ(values_of<int32_t>(run_node({"ReduceMax", {}, {none}})),
            (std::vector<int32_t>{std::numeric_limits<int32_t>::min()}));
  EXPECT_EQ(values_of<int32_t>(run_node({"ReduceMean", {}, {none}})), (std::vector<int32_t>{0}));
}

TEST(Reduction, scalars_are_reduced_to_themselves) {
  const auto y = run_node({"ReduceL1", {}, {Tensor::of<float>({}, {-3})}});
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{3}));
  EXPECT_EQ(shape_made(y), Shape{});
}

TEST(Reduction, small_numbers_are_not_lost_in_long_sums) {
  constexpr int64_t kCount = 1'000'000;
  const std::vector<float> tenths(kCount, 0.1F);
  const double wanted = static_cast<double>(0.1F) * kCount;
  for (const Shape& shape : {Shape{kCount, 1}, Shape{1, kCount}}) {
    const Tensor x = Tensor::of<float>(shape, std::span<const float>(tenths));
    expect_near(run_node({"ReduceSum", {}, {x}}), {wanted}, 0.01);
  }
  const std::vector<Float16> ones(5000, Float16(1));
  const Tensor half = Tensor::of<Float16>({5000}, std::span<const Float16>(ones));
  expect_near<Float16>(run_node({"ReduceSum", {}, {half}}), {5000});
}

TEST(Reduction, large_exponents_do_not_overflow) {
  expect_near(run_node({"ReduceLogSumExp", {}, {Tensor::of<float>({2}, {1000, 1000})}}),
              {1000.6931472}, 1e-4);
  const float infinity = std::numeric_limits<float>::infinity();
  expect_near(run_node({"ReduceLogSumExp", {}, {Tensor::of<float>({2}, {-infinity, -infinity})}}),
              {-kInfinity});
  expect_near(run_node({"ReduceLogSumExp", {}, {Tensor::of<float>({3}, {1, infinity, infinity})}}),
              {kInfinity});
  expect_near(run_node({"ReduceLogSumExp", {}, {Tensor::of<float>({2}, {NAN, 1})}}),
              {std::nan("")});
}

TEST(Reduction, what_is_no_number_stays) {
  for (const auto& values : {std::vector<float>{NAN, 1, 2}, std::vector<float>{1, 2, NAN}}) {
    const Tensor x = Tensor::of<float>({3}, std::span<const float>(values));
    expect_near(run_node({"ReduceMax", {}, {x}}), {std::nan("")});
    expect_near(run_node({"ReduceMin", {}, {x}}), {std::nan("")});
  }
}

TEST(Reduction, integers_wrap_and_have_integer_means) {
  constexpr int32_t kLow = std::numeric_limits<int32_t>::min();
  const Tensor x = Tensor::of<int32_t>({2}, {kLow, -1});
  EXPECT_EQ(values_of<int32_t>(run_node({"ReduceSum", {}, {x}})),
            (std::vector<int32_t>{std::numeric_limits<int32_t>::max()}));
  EXPECT_EQ(values_of<int32_t>(run_node({"ReduceL1", {}, {Tensor::of<int32_t>({1}, {kLow})}})),
            (std::vector<int32_t>{kLow}));
  EXPECT_EQ(values_of<int32_t>(run_node({"ReduceMean", {}, {Tensor::of<int32_t>({2}, {-3, 0})}})),
            (std::vector<int32_t>{-1}));
  EXPECT_EQ(values_of<uint64_t>(run_node({"ReduceMean", {}, {Tensor::of<uint64_t>({2}, {5, 0})}})),
            (std::vector<uint64_t>{2}));
  EXPECT_EQ(values_of<int64_t>(run_node({"ReduceL2", {}, {Tensor::of<int64_t>({2}, {-3, 4})}})),
            (std::vector<int64_t>{5}));
  // The logarithm of nothing is held at the least integer.
  EXPECT_EQ(values_of<int64_t>(run_node({"ReduceLogSum", {}, {Tensor::of<int64_t>({1}, {0})}})),
            (std::vector<int64_t>{std::numeric_limits<int64_t>::min()}));
  EXPECT_EQ(values_of<int8_t>(run_node({"ReduceMax", {}, {Tensor::of<int8_t>({2}, {-3, -4})}})),
            (std::vector<int8_t>{-3}));
}

TEST(Reduction, any_byte_but_zero_is_true) {
  const Tensor x = *Tensor::make(ElementType::kBool, {2, 2}, std::string("\x02\x00\x02\x80", 4));
  EXPECT_EQ(values_of<bool>(run_node({"ReduceMax", {}, {x, axes({1})}})),
            (std::vector<bool>{true, true}));
  EXPECT_EQ(values_of<bool>(run_node({"ReduceMin", {}, {x, axes({1})}})),
            (std::vector<bool>{false, true}));
}

TEST(Reduction, axes_that_are_none_are_refused) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(error_of(run_node({"ReduceSum", {}, {x, axes({2})}})),
            "axis 2 is none of a tensor of rank 2");
  EXPECT_EQ(error_of(run_node({"ReduceSum", {}, {x, axes({std::numeric_limits<int64_t>::min()})}})),
            "axis -9223372036854775808 is none of a tensor of rank 2");
  EXPECT_EQ(error_of(run_node({"ReduceMax", {}, {x, axes({1, -1})}})), "axis 1 is stated twice");
  EXPECT_EQ(error_of(run_node({"ReduceMin", {}, {Tensor::of<float>({}, {1}), axes({0})}})),
            "axis 0 is none of a tensor of rank 0");
  EXPECT_EQ(error_of(run_node({"ReduceSum", {}, {x, x}})),
            "its input 1 is a tensor of FP32, it takes one of INT64");
}

TEST(Reduction, other_types_are_refused) {
  EXPECT_EQ(error_of(run_node({"ReduceSum", {}, {*Tensor::make({1}, {"a"})}})),
            "it is not defined for tensors of BYTES");
  EXPECT_EQ(error_of(run_node({"ReduceSum", {}, {Datum()}})),
            "it is not defined for tensors of NONE");
}

TEST(Reduction, results_that_are_too_large_are_refused) {
  const Tensor x = Tensor::of<float>({0, 1 << 30, 1 << 10}, {});
  EXPECT_EQ(error_of(run_node({"ReduceSum", {}, {x, axes({0})}})),
            "a FP32 tensor of shape [1,1073741824,1024] is larger than 2^40 bytes");
}

TEST(CumSum, sums_run_in_both_directions_with_and_without_their_own_element) {
  const Tensor x = Tensor::of<float>({3}, {1, 2, 3});
  const Tensor axis = Tensor::of<int64_t>({}, {0});
  const auto sum = [&](int64_t exclusive, int64_t reverse) {
    const Attributes attributes = {{"exclusive", exclusive}, {"reverse", reverse}};
    return values_of<float>(run_node({"CumSum", attributes, {x, axis}}));
  };
  EXPECT_EQ(sum(0, 0), (std::vector<float>{1, 3, 6}));
  EXPECT_EQ(sum(1, 0), (std::vector<float>{0, 1, 3}));
  EXPECT_EQ(sum(0, 1), (std::vector<float>{6, 5, 3}));
  EXPECT_EQ(sum(1, 1), (std::vector<float>{5, 3, 0}));
}

TEST(CumSum, the_axis_may_lie_in_the_middle) {
  const Tensor x = counting<int64_t>({2, 2, 2});
  EXPECT_EQ(values_of<int64_t>(run_node({"CumSum", {}, {x, Tensor::of<int32_t>({1}, {-2})}})),
            (std::vector<int64_t>{0, 1, 2, 4, 4, 5, 10, 12}));
  EXPECT_EQ(values_of<int64_t>(run_node({"CumSum", {}, {x, Tensor::of<int64_t>({}, {0})}})),
            (std::vector<int64_t>{0, 1, 2, 3, 4, 6, 8, 10}));
}

TEST(CumSum, integers_wrap_and_bad_axes_are_refused) {
  const Tensor x = Tensor::of<int32_t>({2}, {std::numeric_limits<int32_t>::max(), 1});
  EXPECT_EQ(values_of<int32_t>(run_node({"CumSum", {}, {x, Tensor::of<int64_t>({}, {0})}})).back(),
            std::numeric_limits<int32_t>::min());
  EXPECT_EQ(error_of(run_node({"CumSum", {}, {x, Tensor::of<int64_t>({}, {1})}})),
            "axis 1 is none of a tensor of rank 1");
  EXPECT_EQ(error_of(run_node({"CumSum", {}, {x, axes({0, 0})}})),
            "its input 1 has 2 elements, it takes one");
}

}  // namespace
}  // namespace casemate::engine
