// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

TEST(MatMul, rows_are_multiplied_with_columns) {
  const Tensor a = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::of<float>({2, 3}, {1, 0, 2, 0, 1, 3});
  EXPECT_EQ(values_of<float>(run_node({"MatMul", {}, {a, b}})),
            (std::vector<float>{1, 2, 8, 3, 4, 18}));
}

TEST(MatMul, vectors_are_rows_on_the_left_and_columns_on_the_right) {
  const Tensor v = Tensor::of<float>({2}, {1, 2});
  const Tensor m = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  const auto left = run_node({"MatMul", {}, {v, m}});
  EXPECT_EQ(values_of<float>(left), (std::vector<float>{7, 10}));
  EXPECT_EQ(shape_made(left), (Shape{2}));
  const auto right = run_node({"MatMul", {}, {m, v}});
  EXPECT_EQ(values_of<float>(right), (std::vector<float>{5, 11}));
  const auto both = run_node({"MatMul", {}, {v, v}});
  EXPECT_EQ(values_of<float>(both), (std::vector<float>{5}));
  EXPECT_EQ(shape_made(both), Shape{});
}

TEST(MatMul, batches_are_broadcast) {
  const Tensor a = counting({2, 1, 1, 2});
  const Tensor b = counting({3, 2, 1});
  const auto y = run_node({"MatMul", {}, {a, b}});
  EXPECT_EQ(shape_made(y), (Shape{2, 3, 1, 1}));
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{1, 3, 5, 3, 13, 23}));
  // One matrix for all rows of all batches.
  const auto shared = run_node({"MatMul", {}, {counting({2, 2, 2}), counting({2, 1})}});
  EXPECT_EQ(values_of<float>(shared), (std::vector<float>{1, 3, 5, 7}));
  EXPECT_EQ(shape_made(shared), (Shape{2, 2, 1}));
  const auto spread = run_node({"MatMul", {}, {counting({1, 2}), counting({2, 2, 1})}});
  EXPECT_EQ(values_of<float>(spread), (std::vector<float>{1, 3}));
}

TEST(MatMul, integers_wrap_and_other_types_are_refused) {
  const Tensor a = Tensor::of<int32_t>({1}, {std::numeric_limits<int32_t>::max()});
  const Tensor b = Tensor::of<int32_t>({1}, {2});
  EXPECT_EQ(values_of<int32_t>(run_node({"MatMul", {}, {a, b}})), (std::vector<int32_t>{-2}));
  EXPECT_EQ(error_of(run_node({"MatMul", {}, {counting<int8_t>({1}), counting<int8_t>({1})}})),
            "it is not defined for tensors of INT8");
  EXPECT_EQ(error_of(run_node({"MatMul", {}, {a, counting({1})}})),
            "its input 1 is a tensor of FP32, it takes one of INT32");
}

TEST(MatMul, sums_over_nothing_are_zero) {
  const auto y =
      run_node({"MatMul", {}, {Tensor::of<float>({2, 0}, {}), Tensor::of<float>({0, 2}, {})}});
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{0, 0, 0, 0}));
  // As many matrices as you like, none of which has an element.
  const Tensor many = Tensor::of<float>({1 << 30, 1 << 20, 0, 1}, {});
  EXPECT_EQ(values_of<float>(run_node({"MatMul", {}, {many, counting({1, 2})}})),
            std::vector<float>{});
}

TEST(MatMul, what_does_not_fit_is_refused) {
  EXPECT_EQ(error_of(run_node({"MatMul", {}, {counting({2, 3}), counting({2, 3})}})),
            "its inputs of shapes [2,3] and [2,3] do not multiply: there are 3 columns and 2 rows");
  EXPECT_EQ(error_of(run_node({"MatMul", {}, {counting({}), counting({2})}})),
            "its inputs have shapes [] and [2], it takes no scalars");
  EXPECT_EQ(error_of(run_node({"MatMul", {}, {counting({2, 1, 1}), counting({3, 1, 1})}})),
            "its inputs of shapes [2,1,1] and [3,1,1] do not broadcast to one another");
  const Tensor tall = Tensor::of<float>({1 << 30, 0}, {});
  const Tensor wide = Tensor::of<float>({0, 1 << 30}, {});
  EXPECT_EQ(error_of(run_node({"MatMul", {}, {tall, wide}})),
            "a FP32 tensor of shape [1073741824,1073741824] is larger than 2^40 bytes");
}

TEST(Gemm, products_are_scaled_and_added_to) {
  const Tensor a = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::of<float>({2, 2}, {0, 1, 1, 0});
  const Tensor row = Tensor::of<float>({2}, {10, 20});
  const Tensor column = Tensor::of<float>({2, 1}, {10, 20});
  const Attributes scales = {{"alpha", 0.5F}, {"beta", 2.0F}};
  EXPECT_EQ(values_of<float>(run_node({"Gemm", {}, {a, b}})), (std::vector<float>{2, 1, 4, 3}));
  EXPECT_EQ(values_of<float>(run_node({"Gemm", scales, {a, b, row}})),
            (std::vector<float>{21, 40.5F, 22, 41.5F}));
  EXPECT_EQ(values_of<float>(run_node({"Gemm", {}, {a, b, column}})),
            (std::vector<float>{12, 11, 24, 23}));
  EXPECT_EQ(values_of<float>(run_node({"Gemm", {}, {a, b, Tensor::of<float>({}, {1})}})),
            (std::vector<float>{3, 2, 5, 4}));
}

TEST(Gemm, either_matrix_may_come_transposed) {
  const Tensor a = counting({3, 2});
  const Tensor b = counting({4, 3});
  const Attributes both = {{"transA", int64_t{1}}, {"transB", int64_t{1}}};
  EXPECT_EQ(values_of<float>(run_node({"Gemm", both, {a, b}})),
            (std::vector<float>{10, 28, 46, 64, 13, 40, 67, 94}));
}

TEST(Gemm, the_oldest_version_broadcasts_too) {
  const Attributes old = {{"broadcast", int64_t{1}}};
  const Tensor a = Tensor::of<float>({1, 1}, {2});
  EXPECT_EQ(values_of<float>(run_node({.op = "Gemm",
                                       .attributes = old,
                                       .inputs = {a, a, Tensor::of<float>({1}, {3})},
                                       .since = 6})),
            (std::vector<float>{7}));
}

TEST(Gemm, a_beta_of_zero_leaves_out_whatever_is_there) {
  const Tensor a = Tensor::of<float>({1, 1}, {2});
  const Tensor odd = Tensor::of<float>({1}, {NAN});
  EXPECT_EQ(values_of<float>(run_node({"Gemm", {{"beta", 0.0F}}, {a, a, odd}})),
            (std::vector<float>{4}));
}

TEST(Gemm, integers_are_exact_unless_they_are_scaled) {
  constexpr int64_t kLarge = (int64_t{1} << 60) + 1;
  const Tensor a = Tensor::of<int64_t>({1, 1}, {kLarge});
  const Tensor one = Tensor::of<int64_t>({1, 1}, {1});
  EXPECT_EQ(values_of<int64_t>(run_node({"Gemm", {{"beta", 3.0F}}, {a, one}})),
            (std::vector<int64_t>{kLarge}));
  EXPECT_EQ(values_of<int64_t>(run_node({"Gemm", {}, {a, one, one}})),
            (std::vector<int64_t>{kLarge + 1}));
  EXPECT_EQ(values_of<int64_t>(run_node({"Gemm", {{"alpha", 100.0F}}, {a, one}})),
            (std::vector<int64_t>{std::numeric_limits<int64_t>::max()}));
}

TEST(Gemm, sixteen_bit_floats_are_rounded_once) {
  // 2049 is 2048 in 16 bits, to which adding 1 changes nothing; 2050 is one of them.
  const Tensor a = Tensor::of<Float16>({1, 2}, {Float16(2048), Float16(1)});
  const Tensor b = Tensor::of<Float16>({2, 1}, {Float16(1), Float16(1)});
  const Tensor c = Tensor::of<Float16>({1}, {Float16(1)});
  expect_near<Float16>(run_node({"Gemm", {}, {a, b, c}}), {2050}, 0);
  const Tensor two = Tensor::of<Bfloat16>({1, 1}, {Bfloat16(2.0F)});
  expect_near<Bfloat16>(run_node({"Gemm", {}, {two, two}}), {4}, 0);
}

TEST(Gemm, what_does_not_fit_is_refused) {
  EXPECT_EQ(error_of(run_node({"Gemm", {}, {counting({2, 3}), counting({2, 3})}})),
            "its matrices do not multiply: A has 3 columns, and B 2 rows");
  EXPECT_EQ(error_of(run_node({"Gemm", {}, {counting({2}), counting({2, 3})}})),
            "its inputs have shapes [2] and [2,3], it takes matrices");
  EXPECT_EQ(error_of(run_node({"Gemm", {}, {counting({2, 2}), counting({2, 2}), counting({3})}})),
            "its C of shape [3] does not broadcast to [2,2]");
}

}  // namespace
}  // namespace casemate::engine
