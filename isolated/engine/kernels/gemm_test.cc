// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace casemate::engine::gemm {
namespace {

std::vector<float> noise(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = uniform(random);
  return values;
}

struct Sizes {
  int64_t rows, columns, depth;
};

// Edges of tiles, panels, passes and blocks of every instruction set, and nothing at all.
constexpr Sizes kSizes[] = {{1, 1, 1}, {5, 17, 3},    {6, 64, 16},    {13, 70, 33},
                            {7, 8, 0}, {49, 100, 97}, {50, 64, 2500}, {300, 33, 40},
                            {0, 5, 5}, {2, 130, 1025}};

class OfEverySet : public testing::TestWithParam<int> {
 protected:
  const InstructionSet& set() const { return *instruction_sets().list[GetParam()]; }
};

struct Made {
  std::vector<float> a, packed, bias, addend, c;
  std::vector<double> expected;
};

// A product with everything that can follow it; C is wider than its columns, and what lies between
// must stay as it was.
Made run(const InstructionSet& set, const Sizes& sizes, Epilogue epilogue) {
  const auto [rows, columns, depth] = sizes;
  const int64_t a_stride = depth + 3;
  const int64_t c_stride = columns + 5;
  Made made{.a = noise(rows * a_stride + 1, 1),
            .bias = noise(columns, 3),
            .addend = noise(rows * c_stride + 1, 4)};
  const std::vector<float> b = noise(depth * columns + 1, 2);
  made.packed.resize(static_cast<size_t>(packed_floats(depth, columns, set)) + 1, 1e30F);
  pack(b.data(), depth, columns, columns, 1, made.packed.data(), set);
  made.c.assign(static_cast<size_t>(rows * c_stride + 1), 77);
  epilogue.bias = made.bias.data();
  epilogue.addend = made.addend.data();
  epilogue.addend_stride = c_stride;
  const Product product{made.a.data(), a_stride,      depth,    made.packed.data(),
                        columns,       made.c.data(), c_stride, epilogue};
  multiply(product, 0, rows, 0, panel_count(columns, set), set);
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < c_stride; ++n) {
      if (n >= columns) {
        made.expected.push_back(77);
        continue;
      }
      double sum = static_cast<double>(made.bias[n]) + made.addend[m * c_stride + n];
      for (int64_t k = 0; k < depth; ++k)
        sum += static_cast<double>(made.a[m * a_stride + k]) * b[k * columns + n];
      if (epilogue.leaky && sum < 0) sum *= epilogue.slope;
      if (epilogue.clamped)
        sum =
            std::clamp(sum, static_cast<double>(epilogue.low), static_cast<double>(epilogue.high));
      made.expected.push_back(sum);
    }
  }
  return made;
}

TEST_P(OfEverySet, agrees_with_a_sum_of_doubles) {
  const Epilogue epilogues[] = {
      {},
      {.low = 0, .high = 1e30F, .clamped = true},
      {.slope = 0.1F, .leaky = true},
      {.low = -0.5F, .high = 2, .slope = 0.25F, .leaky = true, .clamped = true}};
  for (const Sizes& sizes : kSizes) {
    for (const Epilogue& epilogue : epilogues) {
      const Made made = run(set(), sizes, epilogue);
      for (size_t i = 0; i < made.expected.size(); ++i)
        ASSERT_NEAR(made.c[i], made.expected[i], 1e-6 * (10.0 + static_cast<double>(sizes.depth)))
            << sizes.rows << "x" << sizes.columns << "x" << sizes.depth << " at " << i;
      EXPECT_EQ(made.c.back(), 77);
    }
  }
}

TEST_P(OfEverySet, parts_make_the_whole_bit_for_bit) {
  const int64_t rows = 61;
  const int64_t columns = 150;
  const int64_t depth = 1100;
  const std::vector<float> a = noise(rows * depth, 1);
  const std::vector<float> b = noise(depth * columns, 2);
  std::vector<float> packed(static_cast<size_t>(packed_floats(depth, columns, set())));
  pack(b.data(), depth, columns, columns, 1, packed.data(), set());
  std::vector<float> whole(static_cast<size_t>(rows * columns));
  std::vector<float> parts = whole;
  Product product{a.data(), depth, depth, packed.data(), columns, whole.data(), columns, {}};
  const int64_t panels = panel_count(columns, set());
  multiply(product, 0, rows, 0, panels, set());
  product.c = parts.data();
  multiply(product, 0, 20, 0, 1, set());
  multiply(product, 20, rows, 0, 1, set());
  multiply(product, 0, rows, 1, panels, set());
  EXPECT_EQ(whole, parts);
}

// Rows in another order, floats at any address, and back again.
TEST_P(OfEverySet, packs_loose_floats_and_unpacks_them) {
  const Rows rows{9, 1, 21, 9};  // a filter's lines and columns outside its channels
  const int64_t columns = 70;
  const std::vector<float> b = noise(columns * rows.count(), 3);
  std::vector<uint8_t> loose(b.size() * 4 + 1);
  std::memcpy(loose.data() + 1, b.data(), b.size() * 4);
  std::vector<float> packed(static_cast<size_t>(packed_floats(rows.count(), columns, set())), 9);
  pack(loose.data() + 1, rows, columns, rows.count(), packed.data(), set());
  EXPECT_EQ(packed[0], b[0]);
  EXPECT_EQ(packed[static_cast<size_t>(set().panel_columns)], b[9]);  // the next channel
  std::vector<float> back(b.size());
  unpack(packed.data(), rows, columns, rows.count(), back.data(), set());
  EXPECT_EQ(back, b);
}

TEST_P(OfEverySet, what_is_not_a_number_stays_none) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> a = {nan, 1};
  const std::vector<float> b(64, 1.0F);
  std::vector<float> packed(static_cast<size_t>(packed_floats(1, 64, set())));
  pack(b.data(), 1, 64, 64, 1, packed.data(), set());
  std::vector<float> c(128);
  Product product{a.data(), 1, 1, packed.data(), 64, c.data(), 64, {.high = 6, .clamped = true}};
  multiply(product, 0, 2, 0, panel_count(64, set()), set());
  for (int i = 0; i < 64; ++i) {
    EXPECT_TRUE(std::isnan(c[i])) << i;
    EXPECT_EQ(c[64 + i], 1.0F);
  }
}

// F(2x2) and F(4x4) of a filter that is one in its middle give the pixels back.
TEST_P(OfEverySet, transforms_give_an_image_back) {
  for (const int size : {2, 4}) {
    const int edge = size + 2;
    const int64_t channels = set().vector_floats + 3;
    const int64_t outputs = set().vector_floats * 2;
    const std::vector<float> pixels = noise(edge * edge * channels, 5);
    std::vector<float> planes(static_cast<size_t>(edge * edge * outputs));
    const Transforms& transforms = size == 2 ? set().of_two : set().of_four;
    transforms.input(pixels.data(), edge * channels, channels, planes.data(), outputs);
    // G of the filter, whose only element is in the middle: the middle column of G.
    const std::vector<double> g =
        size == 2 ? std::vector<double>{0, .5, -.5, 0}
                  : std::vector<double>{0, -1. / 6, 1. / 6, 1. / 12, -1. / 12, 0};
    for (int i = 0; i < edge; ++i) {
      for (int j = 0; j < edge; ++j) {
        for (int64_t k = 0; k < outputs; ++k)
          planes[(i * edge + j) * outputs + k] *= static_cast<float>(g[i] * g[j]);
      }
    }
    std::vector<float> made(static_cast<size_t>(size * size * outputs), 77);
    transforms.output(planes.data(), outputs, outputs,
                      {.to = made.data(),
                       .line_stride = size * outputs,
                       .pixel_stride = outputs,
                       .lines = size - 1,
                       .columns = size,
                       .epilogue = {}});
    for (int i = 0; i < size; ++i) {
      for (int j = 0; j < size; ++j) {
        for (int64_t c = 0; c < channels; ++c) {
          const float got = made[(i * size + j) * outputs + c];
          if (i == size - 1) {
            EXPECT_EQ(got, 77);
          } else {
            EXPECT_NEAR(got, pixels[((i + 1) * edge + j + 1) * channels + c], 1e-5);
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gemm, OfEverySet, testing::Range(0, instruction_sets().count),
                         [](const auto& at) {
                           std::string name = instruction_sets().list[at.param]->name;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace casemate::engine::gemm
