// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

using Products = std::vector<int32_t>;

Tensor bytes(const Shape& shape, std::initializer_list<uint8_t> values) {
  return Tensor::of<uint8_t>(shape, values);
}

TEST(MatMulInteger, zero_points_are_taken_away) {
  // The example of the specification.
  const Tensor a = bytes({4, 3}, {11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0});
  const Tensor b = bytes({3, 2}, {1, 4, 2, 5, 3, 6});
  const Tensor zero = bytes({1}, {12});
  EXPECT_EQ(values_of<int32_t>(run_node({"MatMulInteger", {}, {a, b, zero, bytes({1}, {0})}})),
            (Products{-38, -83, -44, -98, -50, -113, -56, -128}));
  EXPECT_EQ(values_of<int32_t>(run_node({"MatMulInteger", {}, {a, b}})).front(), 34);
}

TEST(MatMulInteger, rows_and_columns_may_have_their_own) {
  const Tensor a = bytes({2, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::of<int8_t>({2, 2}, {-1, 1, 0, 2});
  const Tensor rows = bytes({2}, {1, 3});
  const Tensor columns = Tensor::of<int8_t>({2}, {-1, 1});
  EXPECT_EQ(values_of<int32_t>(run_node({"MatMulInteger", {}, {a, b, rows, columns}})),
            (Products{1, 1, 1, 1}));
  const Tensor standing = bytes({1, 2, 1}, {1, 3});
  const Tensor batch = bytes({1, 2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(values_of<int32_t>(run_node({"MatMulInteger", {}, {batch, b, standing, columns}})),
            (Products{1, 1, 1, 1}));
}

TEST(MatMulInteger, zero_points_that_do_not_fit_are_refused) {
  const Tensor a = bytes({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(
      error_of(run_node({"MatMulInteger", {}, {a, a, bytes({3}, {1, 2, 3})}})),
      "its input 2 of shape [3] is neither one for all of a tensor of shape [2,2] nor one for "
      "each of its rows");
  EXPECT_EQ(error_of(run_node({"MatMulInteger", {}, {a, a, Datum(), bytes({2, 1}, {1, 2})}})),
            "its input 3 of shape [2,1] is neither one for all of a tensor of shape [2,2] nor one "
            "for each of its columns");
  EXPECT_EQ(error_of(run_node({"MatMulInteger", {}, {a, a, Tensor::of<int8_t>({}, {1})}})),
            "its input 0 is of UINT8, and its zero point of INT8");
  EXPECT_EQ(error_of(run_node({"MatMulInteger", {}, {counting({2, 2}), counting({2, 2})}})),
            "it is not defined for tensors of FP32");
}

// A product of two matrices with these scales, and zero points of 0.
Result<std::vector<Datum>> product(const Tensor& a, const Tensor& b, const Tensor& a_scale,
                                   const Tensor& b_scale, const Tensor& y_scale,
                                   const Tensor& y_zero) {
  return run_node({"QLinearMatMul",
                   {},
                   {a, a_scale, bytes({}, {0}), b, b_scale, bytes({}, {0}), y_scale, y_zero}});
}

Tensor scale(std::initializer_list<float> values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
}

TEST(QLinearMatMul, products_are_scaled_rounded_and_shifted) {
  // The example of the specification.
  const Tensor a = bytes({2, 4}, {208, 236, 0, 238, 3, 214, 255, 29});
  const Tensor b = bytes({4, 3}, {152, 51, 244, 60, 26, 255, 0, 127, 246, 127, 254, 247});
  const auto y = run_node({"QLinearMatMul",
                           {},
                           {a, scale({0.0066F}), bytes({1}, {113}), b, scale({0.00705F}),
                            bytes({1}, {114}), scale({0.0107F}), bytes({1}, {118})}});
  EXPECT_EQ(values_of<uint8_t>(y), (std::vector<uint8_t>{168, 115, 255, 1, 66, 151}));
}

TEST(QLinearMatMul, results_are_held_in_their_type) {
  const Tensor a = bytes({1, 1}, {200});
  const Tensor unsigned_zero = bytes({}, {10});
  const Tensor signed_zero = Tensor::of<int8_t>({}, {-100});
  EXPECT_EQ(values_of<uint8_t>(product(a, a, scale({1}), scale({1}), scale({1}), unsigned_zero)),
            (std::vector<uint8_t>{255}));
  EXPECT_EQ(values_of<int8_t>(product(a, a, scale({1}), scale({-1}), scale({1}), signed_zero)),
            (std::vector<int8_t>{-128}));
  // Divided by nothing at all, and by what is no number.
  EXPECT_EQ(values_of<uint8_t>(product(a, a, scale({1}), scale({1}), scale({0}), unsigned_zero)),
            (std::vector<uint8_t>{255}));
  EXPECT_EQ(values_of<uint8_t>(product(a, a, scale({1}), scale({1}), scale({NAN}), unsigned_zero)),
            (std::vector<uint8_t>{0}));
}

TEST(QLinearMatMul, halves_are_rounded_to_even_before_the_shift) {
  const Tensor one = bytes({1, 1}, {1});
  EXPECT_EQ(values_of<uint8_t>(product(one, bytes({1, 2}, {1, 3}), scale({0.5F}), scale({1}),
                                       scale({1}), bytes({}, {1}))),
            (std::vector<uint8_t>{1, 3}));
}

TEST(QLinearMatMul, rows_and_columns_may_have_their_own_scales) {
  const Tensor a = bytes({2, 1}, {1, 2});
  const Tensor b = bytes({1, 2}, {3, 4});
  EXPECT_EQ(
      values_of<uint8_t>(product(a, b, scale({1, 10}), scale({1, 2}), scale({1}), bytes({}, {0}))),
      (std::vector<uint8_t>{3, 8, 60, 160}));
  EXPECT_EQ(
      error_of(product(a, b, scale({1, 2, 3}), scale({1}), scale({1}), bytes({}, {0}))),
      "its input 1 of shape [3] is neither one for all of a tensor of shape [2,2] nor one for "
      "each of its rows");
  EXPECT_EQ(error_of(product(a, b, counting<int32_t>({1}), scale({1}), scale({1}), bytes({}, {0}))),
            "it is not defined for tensors of INT32");
}

}  // namespace
}  // namespace casemate::engine
