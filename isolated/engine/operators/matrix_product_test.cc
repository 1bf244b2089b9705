// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/matrix_product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace casemate::engine {
namespace {

// Small integers, exact in every type.
template <class T>
std::vector<T> pattern(int64_t count, int64_t factor) {
  std::vector<T> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<T>((i * factor) % 7));
  return values;
}

template <class T>
void expect_product(int64_t m, int64_t n, int64_t k, bool a_turned, bool b_turned) {
  const auto a = pattern<T>(m * k, 3);
  const auto b = pattern<T>(k * n, 5);
  std::vector<T> c(static_cast<size_t>(m * n), static_cast<T>(1));
  MatrixProduct<T> product{.m = m, .n = n, .k = k, .c = {c.data(), n}};
  product.a = a_turned ? transposed(Matrix<const T>{a.data(), m}) : Matrix<const T>{a.data(), k};
  product.b = b_turned ? transposed(Matrix<const T>{b.data(), k}) : Matrix<const T>{b.data(), n};
  for (const bool accumulate : {false, true}) {
    product.accumulate = accumulate;
    multiply(product);
    for (int64_t i = 0; i < m * n; ++i) {
      double sum = 0;
      for (int64_t d = 0; d < k; ++d) {
        sum += static_cast<double>(a[a_turned ? d * m + i / n : i / n * k + d]) *
               static_cast<double>(b[b_turned ? i % n * k + d : d * n + i % n]);
      }
      if (accumulate) sum *= 2;
      ASSERT_EQ(static_cast<double>(c[i]), sum) << m << "x" << n << "x" << k << " at " << i;
    }
  }
}

TEST(MatrixProduct, every_size_around_tiles_and_blocks_is_right) {
  for (const int64_t m : {1, 3, 4, 5, 63, 65}) {
    for (const int64_t n : {1, 7, 8, 9, 255, 257}) {
      for (const int64_t k : {0, 1, 2, 255, 257, 513})
        expect_product<float>(m, n, k, (m + k) % 2 == 0, (n + k) % 2 == 0);
    }
  }
}

TEST(MatrixProduct, every_type_is_right) {
  expect_product<double>(9, 10, 300, false, true);
  expect_product<int32_t>(9, 10, 300, true, false);
  expect_product<uint32_t>(9, 10, 300, true, true);
  expect_product<int64_t>(9, 10, 300, false, false);
  expect_product<uint64_t>(9, 10, 300, false, true);
  expect_product<Float16>(9, 10, 20, false, false);
  expect_product<Bfloat16>(9, 10, 2, false, true);
}

TEST(MatrixProduct, sixteen_bit_sums_are_rounded_once) {
  // In 16 bits the sum would stop at 2048, where adding 1 changes nothing any more.
  const std::vector<Float16> ones(3000, Float16(1));
  Float16 sum;
  multiply<Float16>(
      {.m = 1, .n = 1, .k = 3000, .a = {ones.data(), 3000}, .b = {ones.data(), 1}, .c = {&sum, 1}});
  EXPECT_EQ(static_cast<float>(sum), 3000);
}

TEST(MatrixProduct, integers_wrap_around) {
  const int32_t a = std::numeric_limits<int32_t>::max();
  const int32_t b = 2;
  int32_t c = 0;
  multiply<int32_t>({.m = 1, .n = 1, .k = 1, .a = {&a, 1}, .b = {&b, 1}, .c = {&c, 1}});
  EXPECT_EQ(c, -2);
}

TEST(MatrixProduct, infinities_stay_in_their_column) {
  const std::vector<float> a = {1, 1};
  const std::vector<float> b = {std::numeric_limits<float>::infinity(), 1, 2, 3, 4, 5};
  std::vector<float> c(3);
  multiply<float>(
      {.m = 1, .n = 3, .k = 2, .a = {a.data(), 2}, .b = {b.data(), 3}, .c = {c.data(), 3}});
  EXPECT_TRUE(std::isinf(c[0]));
  EXPECT_EQ(c[1], 5);
  EXPECT_EQ(c[2], 7);
}

}  // namespace
}  // namespace casemate::engine
