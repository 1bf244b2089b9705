// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/byte_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace casemate::engine::byte_product {
namespace {

struct Sizes {
  int64_t rows, columns, depth;
};

// Edges of tiles, panels and groups of four of every instruction set, and nothing at all.
constexpr Sizes kSizes[] = {{1, 1, 1},     {5, 17, 3},  {6, 64, 16}, {13, 70, 33},  {7, 8, 0},
                            {49, 100, 97}, {8, 33, 66}, {0, 5, 5},   {2, 130, 1025}};
enum class Fill : uint8_t { kAny, kLeast, kMost };
constexpr Fill kFills[] = {Fill::kAny, Fill::kLeast, Fill::kMost};

uint8_t extreme(Fill fill, bool is_signed) {
  if (is_signed) return fill == Fill::kLeast ? 0x80 : 0x7f;
  return fill == Fill::kLeast ? 0 : 255;
}

std::vector<uint8_t> bytes(int64_t count, Fill fill, bool is_signed, uint32_t seed) {
  std::vector<uint8_t> values(static_cast<size_t>(count), extreme(fill, is_signed));
  std::mt19937 random(seed);
  if (fill == Fill::kAny)
    std::ranges::generate(values, [&] { return static_cast<uint8_t>(random()); });
  return values;
}

int64_t number(uint8_t byte, bool is_signed) {
  return is_signed ? int64_t{static_cast<int8_t>(byte)} : int64_t{byte};
}

// A product with zero points on both sides, and what is expected of it in 64 bits.
struct Case {
  Sizes sizes;
  Signs signs;
  int64_t a_stride, a_zero, b_zero;
  std::vector<uint8_t> a, b, packed;
  std::vector<int32_t> bias, b_zeros, row_sums;
  std::vector<float> scales;
  std::vector<int64_t> expected;  // exact
};

Case case_of(const InstructionSet& set, const Sizes& sizes, Signs signs, Fill fill) {
  Case made{.sizes = sizes, .signs = signs, .a_stride = sizes.depth + 3, .a_zero = 0, .b_zero = 0};
  made.a_zero = signs.a ? -7 : 130;
  made.b_zero = signs.b ? 5 : 121;
  made.a = bytes(sizes.rows * made.a_stride + 1, fill, signs.a, 1);
  made.b = bytes(sizes.depth * sizes.columns + 1, fill, signs.b, 2);
  const Rows rows = plain_rows(sizes.depth, sizes.columns);
  made.packed.resize(static_cast<size_t>(packed_bytes(rows, sizes.columns, set)) + 1);
  pack(made.b.data(), rows, sizes.columns, 1, signs, made.packed.data(), set);
  std::mt19937 random(3);
  const auto* const sums = static_cast<const int32_t*>(
      static_cast<const void*>(made.packed.data() + panel_bytes(rows, sizes.columns, set)));
  for (int64_t n = 0; n < sizes.columns; ++n) {
    const auto own = static_cast<int32_t>(random() % 2001) - 1000;
    const int64_t zero = made.b_zero + signs.shift();
    made.b_zeros.push_back(static_cast<int32_t>(zero));
    made.bias.push_back(
        static_cast<int32_t>(own - made.a_zero * sums[n] + sizes.depth * made.a_zero * zero));
    made.scales.push_back(static_cast<float>(random() % 1000) / 1e6F);
    for (int64_t m = 0; m < sizes.rows; ++m) made.expected.push_back(own);
  }
  for (int64_t n = 0; n < sizes.columns; ++n) {
    for (int64_t m = 0; m < sizes.rows; ++m) {
      for (int64_t k = 0; k < sizes.depth; ++k) {
        made.expected[n * sizes.rows + m] +=
            (number(made.a[m * made.a_stride + k], signs.a) - made.a_zero) *
            (number(made.b[k * sizes.columns + n], signs.b) - made.b_zero);
      }
    }
  }
  return made;
}

// C as the product makes it, wider than its columns: what lies between must stay as it was.
std::vector<uint8_t> run(const InstructionSet& set, Case& given, Epilogue epilogue, int64_t size) {
  const auto [rows, columns, depth] = given.sizes;
  const int64_t c_stride = (columns + 5) * size;
  std::vector<uint8_t> c(static_cast<size_t>(rows * c_stride + 1), 77);
  epilogue.bias = given.bias.data();
  epilogue.b_zeros = given.b_zeros.data();
  epilogue.scales = given.scales.data();
  constexpr int64_t kNoOffset = 0;
  Panel panel{.a = given.a.data(),
              .a_stride = given.a_stride,
              .rows = rows,
              .depth = depth,
              .offsets = &kNoOffset,
              .pieces = 1,
              .b = nullptr,
              .c = nullptr,
              .c_stride = c_stride,
              .columns = 0,
              .epilogue = {}};
  given.row_sums.resize(static_cast<size_t>(rows));
  set.sum_rows[given.signs.a](panel, given.row_sums.data());
  epilogue.row_sums = given.row_sums.data();
  const Rows packed = plain_rows(depth, columns);
  for (int64_t i = 0; i < panel_count(columns, set); ++i) {
    const int64_t column = i * set.panel_columns;
    panel.b = given.packed.data() + panel_offset(packed, i, set);
    panel.c = c.data() + column * size;
    panel.columns = std::min(columns - column, set.panel_columns);
    panel.epilogue = from_column(epilogue, column);
    set.multiply[given.signs.a](panel);
  }
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t i = columns * size; i < c_stride; ++i) EXPECT_EQ(c[m * c_stride + i], 77);
  }
  EXPECT_EQ(c.back(), 77);
  return c;
}

template <class T>
T at(const std::vector<uint8_t>& c, const Sizes& sizes, int64_t m, int64_t n) {
  T value;
  std::memcpy(&value, c.data() + (m * (sizes.columns + 5) + n) * sizeof(T), sizeof(T));
  return value;
}

class BytesOfEverySet : public testing::TestWithParam<int> {
 protected:
  const InstructionSet& set() const { return *instruction_sets().list[GetParam()]; }
  // Calls what(case) for all sizes, signs and contents.
  template <class What>
  void for_each_case(What what) {
    for (const Sizes& sizes : kSizes) {
      for (const Fill fill : kFills) {
        for (const Signs signs :
             {Signs{false, true}, {true, false}, {true, true}, {false, false}}) {
          SCOPED_TRACE(testing::Message() << sizes.rows << "x" << sizes.columns << "x"
                                          << sizes.depth << " signed " << signs.a << signs.b);
          Case given = case_of(set(), sizes, signs, fill);
          what(given);
        }
      }
    }
  }
};

TEST_P(BytesOfEverySet, sum_exactly_whatever_they_hold) {
  for_each_case([&](Case& given) {
    const auto c = run(set(), given, {.store = Store::kInt32}, 4);
    for (int64_t n = 0; n < given.sizes.columns; ++n) {
      for (int64_t m = 0; m < given.sizes.rows; ++m)
        ASSERT_EQ(at<int32_t>(c, given.sizes, m, n), given.expected[n * given.sizes.rows + m]);
    }
  });
}

TEST_P(BytesOfEverySet, are_scaled_rounded_to_even_and_held_in_a_byte) {
  for_each_case([&](Case& given) {
    for (const bool is_signed : {false, true}) {
      const int32_t zero = is_signed ? -3 : 100;
      const float low = static_cast<float>((is_signed ? -128 : 0) - zero);
      Epilogue epilogue{.store = is_signed ? Store::kInt8 : Store::kUint8,
                        .low = low,
                        .high = low + 255,
                        .zero = zero};
      const auto c = run(set(), given, epilogue, 1);
      for (int64_t n = 0; n < given.sizes.columns; ++n) {
        for (int64_t m = 0; m < given.sizes.rows; ++m) {
          const auto sum = static_cast<float>(given.expected[n * given.sizes.rows + m]);
          const float whole = std::nearbyint(sum * given.scales[n]) + static_cast<float>(zero);
          const float held =
              std::clamp(whole, is_signed ? -128.0F : 0.0F, is_signed ? 127.0F : 255.0F);
          ASSERT_EQ(number(at<uint8_t>(c, given.sizes, m, n), is_signed),
                    static_cast<int64_t>(held));
        }
      }
    }
  });
}

TEST_P(BytesOfEverySet, are_made_real_with_a_row_and_a_value_added) {
  for_each_case([&](Case& given) {
    const auto [rows, columns, depth] = given.sizes;
    std::vector<float> shift(static_cast<size_t>(columns), 0.25F);
    std::vector<float> addend(static_cast<size_t>(rows * columns + 1), -3);
    const Epilogue epilogue{.store = Store::kFloat,
                            .low = 0,
                            .high = 1e9F,
                            .clamped = true,
                            .shift = shift.data(),
                            .floats = addend.data(),
                            .floats_stride = columns};
    const auto c = run(set(), given, epilogue, 4);
    for (int64_t n = 0; n < columns; ++n) {
      for (int64_t m = 0; m < rows; ++m) {
        const double real = static_cast<double>(given.expected[n * rows + m]) * given.scales[n];
        const double expected = std::max(real + 0.25 - 3, 0.0);
        ASSERT_NEAR(at<float>(c, given.sizes, m, n), expected, 1e-6 * (std::fabs(real) + 4));
      }
    }
  });
}

TEST_P(BytesOfEverySet, are_unpacked_as_they_were) {
  for (const Sizes& sizes : kSizes) {
    for (const Signs signs : {Signs{false, true}, Signs{true, true}}) {
      const auto b = bytes(sizes.depth * sizes.columns, Fill::kAny, signs.b, 5);
      const Rows rows = plain_rows(sizes.depth, 1);
      std::vector<uint8_t> packed(static_cast<size_t>(packed_bytes(rows, sizes.columns, set())));
      pack(b.data(), rows, sizes.columns, sizes.depth, signs, packed.data(), set());
      std::vector<uint8_t> again(b.size());
      unpack(packed.data(), rows, sizes.columns, sizes.depth, signs, again.data(), set());
      EXPECT_EQ(again, b);
    }
  }
}

TEST_P(BytesOfEverySet, are_quantised_and_dequantised_as_onnx_says) {
  std::vector<float> reals = {0, 0.5F, 1.5F, 2.5F, -0.5F, 1e30F, -1e30F, NAN, INFINITY, -INFINITY};
  for (int i = 0; i < 90; ++i) reals.push_back(static_cast<float>(i * 7 % 41) - 20.3F);
  for (const int64_t count : {1, 15, 16, 17, 100}) {
    const Quantisation q{.scale = 0.75F, .low = -100, .high = 155, .zero = 100, .is_signed = false};
    std::vector<uint8_t> y(101, 77);
    set().quantise(q, reals.data(), y.data(), count);
    for (int64_t i = 0; i < count; ++i) {
      const float whole = std::nearbyint(reals[i] / 0.75F) + 100;
      const float held = whole > 0 ? std::min(whole, 255.0F) : 0;
      EXPECT_EQ(y[i], static_cast<uint8_t>(held)) << reals[i];
    }
    EXPECT_EQ(y[count], 77);
    std::vector<float> back(101, 77);
    set().dequantise(q, y.data(), back.data(), count);
    for (int64_t i = 0; i < count; ++i)
      EXPECT_EQ(back[i], static_cast<float>(int{y[i]} - 100) * 0.75F);
    EXPECT_EQ(back[count], 77);
  }
}

TEST_P(BytesOfEverySet, have_a_range_that_holds_zero) {
  const std::vector<float> reals = {3,  4,  NAN, 5,  6,  7,  8,  9,  10,
                                    11, 12, 13,  14, 15, 16, 17, 18, -2};
  float low = 0;
  float high = 0;
  set().range(reals.data(), 17, &low, &high);
  EXPECT_EQ(low, 0);
  EXPECT_EQ(high, 18);
  set().range(reals.data(), 18, &low, &high);
  EXPECT_EQ(low, -2);
}

INSTANTIATE_TEST_SUITE_P(All, BytesOfEverySet, testing::Range(0, instruction_sets().count),
                         [](const auto& parameter) {
                           std::string name = instruction_sets().list[parameter.param]->name;
                           std::ranges::replace(name, '-', '_');
                           std::ranges::replace(name, ' ', '_');
                           return name;
                         });

}  // namespace
}  // namespace casemate::engine::byte_product
