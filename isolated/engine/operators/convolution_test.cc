// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/convolution.h"

#include <random>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Numbers64 = std::vector<int64_t>;

template <class T>
Tensor filled(const Shape& shape, T value) {
  return Tensor::of<T>(shape, std::vector<T>(*shape.element_count(), value));
}

// Small whole numbers, so that sums are exact in any order.
Tensor whole_numbers(const Shape& shape, std::mt19937& random) {
  std::vector<float> values(*shape.element_count());
  for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 9) - 4);
  return Tensor::of<float>(shape, values);
}

struct Geometry {
  int64_t groups = 1;
  Numbers64 strides = {1, 1};
  Numbers64 dilations = {1, 1};
  Numbers64 pads = {0, 0, 0, 0};

  [[nodiscard]] Attributes attributes() const {
    return {{"group", groups}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}};
  }
  // The cell of the wide image over which a tap lies at a position of the narrow one.
  [[nodiscard]] int64_t cell(size_t axis, int64_t position, int64_t tap) const {
    return position * strides[axis] + tap * dilations[axis] - pads[axis];
  }
};

// Calls `visit` with all that meet: image, channels of a group, cell, position and tap.
struct Meeting {
  int64_t n, group, wide_channel, narrow_channel, cell, position, tap;
};
template <class Visit>
void for_each_meeting(const Geometry& g, const Shape& wide, const Shape& narrow,
                      const Shape& weights, Visit visit) {
  for (int64_t n = 0; n < wide[0]; ++n)
    for (int64_t group = 0; group < g.groups; ++group)
      for (int64_t a = 0; a < wide[1] / g.groups; ++a)
        for (int64_t b = 0; b < narrow[1] / g.groups; ++b)
          for (int64_t i = 0; i < narrow[2] * narrow[3] * weights[2] * weights[3]; ++i) {
            const int64_t position = i / (weights[2] * weights[3]);
            const int64_t tap = i % (weights[2] * weights[3]);
            const int64_t y = g.cell(0, position / narrow[3], tap / weights[3]);
            const int64_t x = g.cell(1, position % narrow[3], tap % weights[3]);
            if (y < 0 || x < 0 || y >= wide[2] || x >= wide[3]) continue;
            visit(Meeting{n, group, a, b, y * wide[3] + x, position, tap});
          }
}

int64_t at(const Shape& shape, int64_t n, int64_t channel, int64_t cell) {
  return (n * shape[1] + channel) * shape[2] * shape[3] + cell;
}

// Both kinds by their definition: Conv goes from a wide image to a narrow one, ConvTranspose back.
// Weights are [narrow, wide / groups, taps] for either.
void expect_as_defined(const Geometry& g, const Tensor& x, const Tensor& w, bool transposed) {
  const auto outputs = run_node({transposed ? "ConvTranspose" : "Conv", g.attributes(), {x, w}});
  ASSERT_TRUE(outputs) << outputs.error().text;
  const Tensor& y = *(*outputs)[0].tensor();
  std::vector<float> expected(y.count());
  const Shape& wide = transposed ? y.shape() : x.shape();
  const Shape& narrow = transposed ? x.shape() : y.shape();
  const auto weights = w.values<float>();
  for_each_meeting(g, wide, narrow, w.shape(), [&](const Meeting& m) {
    const int64_t wide_at = at(wide, m.n, m.group * wide[1] / g.groups + m.wide_channel, m.cell);
    const int64_t narrow_channel = m.group * narrow[1] / g.groups + m.narrow_channel;
    const int64_t narrow_at = at(narrow, m.n, narrow_channel, m.position);
    const float weight = weights[at(w.shape(), narrow_channel, m.wide_channel, m.tap)];
    expected[transposed ? wide_at : narrow_at] +=
        weight * x.values<float>()[transposed ? narrow_at : wide_at];
  });
  const auto got = y.values<float>();
  EXPECT_TRUE(std::ranges::equal(got, expected)) << x.shape().text() << w.shape().text();
}

TEST(Convolution, is_what_its_definition_says) {
  std::mt19937 random(7);
  const auto one_of = [&](int64_t most) { return 1 + static_cast<int64_t>(random() % most); };
  for (int i = 0; i < 60; ++i) {
    Geometry g{.groups = one_of(3),
               .strides = {one_of(3), one_of(3)},
               .dilations = {one_of(2), one_of(3)},
               .pads = {one_of(3) - 1, one_of(3) - 1, one_of(3) - 1, one_of(3) - 1}};
    const Shape narrow = {one_of(2), g.groups * one_of(3), 5 + one_of(3), 7 + one_of(5)};
    const Shape weights = {g.groups * one_of(3), narrow[1] / g.groups, one_of(3), one_of(3)};
    expect_as_defined(g, whole_numbers(narrow, random), whole_numbers(weights, random), false);
    const Shape spread = {narrow[1], one_of(3), one_of(3) + 2, one_of(3) + 2};
    expect_as_defined(g, whole_numbers(narrow, random), whole_numbers(spread, random), true);
  }
}

TEST(Convolution, of_more_positions_than_lie_in_a_block_is_whole) {
  std::mt19937 random(3);
  const Tensor w = whole_numbers({1, 64, 3, 3}, random);
  expect_as_defined({.pads = {1, 1, 1, 1}}, whole_numbers({1, 64, 45, 61}, random), w, false);
  const Tensor back = whole_numbers({1, 64, 3, 3}, random);
  expect_as_defined({.strides = {2, 2}}, whole_numbers({1, 1, 45, 61}, random), back, true);
}

TEST(Convolution, in_one_and_in_three_dimensions_adds_its_bias) {
  const Tensor line = Tensor::of<float>({1, 1, 4}, {1, 2, 3, 4});
  const Tensor pair = Tensor::of<float>({1, 1, 2}, {1, 10});
  const Tensor bias = Tensor::of<float>({1}, {100});
  EXPECT_EQ(values_of<float>(run_node({"Conv", {}, {line, pair, bias}})),
            (std::vector<float>{121, 132, 143}));
  EXPECT_EQ(values_of<float>(run_node({"ConvTranspose", {}, {line, pair, bias}})),
            (std::vector<float>{101, 112, 123, 134, 140}));
  const Tensor cube = filled<float>({1, 1, 3, 3, 3}, 1);
  const Tensor kernel = filled<float>({1, 1, 2, 2, 2}, 1);
  EXPECT_EQ(values_of<float>(run_node({"Conv", {}, {cube, kernel}})), std::vector<float>(8, 8));
}

TEST(Convolution, of_short_floats_rounds_once) {
  // 2048 is where a 16-bit float can no longer count by ones.
  const Tensor x = filled<Float16>({1, 1, 3000}, Float16(1));
  const Tensor w = filled<Float16>({1, 1, 3000}, Float16(1));
  EXPECT_EQ(values_of<Float16>(run_node({"Conv", {}, {x, w}})), std::vector{Float16(3000)});
  const Tensor tall = filled<Bfloat16>({1, 600, 1}, Bfloat16(1));
  const Tensor spread = filled<Bfloat16>({600, 1, 1}, Bfloat16(1));
  EXPECT_EQ(values_of<Bfloat16>(run_node({"ConvTranspose", {}, {tall, spread}})),
            std::vector{Bfloat16(600)});
  const Tensor wide = filled<double>({1, 1, 2}, 0.1);
  EXPECT_EQ(values_of<double>(run_node({"Conv", {}, {wide, filled<double>({1, 1, 2}, 1)}})),
            std::vector{0.2});
}

TEST(Convolution, of_nothing_is_its_bias) {
  const Tensor none = Tensor::of<float>({1, 1, 0}, {});
  const Tensor w = Tensor::of<float>({1, 1, 2}, {1, 1});
  const Tensor bias = Tensor::of<float>({1}, {5});
  const auto padded = run_node({"Conv", {{"pads", Numbers64{1, 2}}}, {none, w, bias}});
  EXPECT_EQ(values_of<float>(padded), (std::vector<float>{5, 5}));
  const Tensor no_channels = Tensor::of<float>({1, 0, 3}, {});
  const auto empty = run_node({"Conv", {}, {no_channels, Tensor::of<float>({1, 0, 2}, {}), bias}});
  EXPECT_EQ(values_of<float>(empty), (std::vector<float>{5, 5}));
  const Tensor no_images = Tensor::of<float>({0, 1, 3}, {});
  EXPECT_EQ(values_of<float>(run_node({"Conv", {}, {no_images, w, bias}})), std::vector<float>());
}

TEST(Convolution, a_chosen_output_larger_than_what_is_spread_ends_in_zeros) {
  const Tensor x = Tensor::of<float>({1, 1, 2}, {1, 2});
  const Tensor w = Tensor::of<float>({1, 1, 2}, {1, 1});
  const auto run = [&](int64_t extent) {
    return values_of<float>(
        run_node({"ConvTranspose", {{"output_shape", Numbers64{extent}}}, {x, w}}));
  };
  EXPECT_EQ(run(5), (std::vector<float>{1, 3, 2, 0, 0}));
  EXPECT_EQ(run(2), (std::vector<float>{3, 2}));
}

TEST(Convolution, shapes_that_do_not_agree_are_refused) {
  const Tensor x = filled<float>({1, 4, 5}, 1);
  const auto conv = [&](Attributes attributes, const Shape& weights) {
    return error_of(run_node({"Conv", std::move(attributes), {x, filled<float>(weights, 1)}}));
  };
  EXPECT_EQ(conv({{"group", int64_t{3}}}, {3, 1, 2}),
            "3 groups do not divide the 4 input and 3 output channels of weights [3,1,2]");
  EXPECT_EQ(conv({{"group", int64_t{0}}}, {3, 4, 2}),
            "0 groups do not divide the 4 input and 3 output channels of weights [3,4,2]");
  EXPECT_EQ(conv({{"kernel_shape", Numbers64{3}}}, {3, 4, 2}),
            "attribute 'kernel_shape' is not that of its weights [3,4,2]");
  EXPECT_EQ(conv({}, {3, 4, 2, 2}), "its weights [3,4,2,2] have not the rank of its input [1,4,5]");
  EXPECT_EQ(conv({{"pads", Numbers64{1 << 30, 1 << 30}}}, {1, 4, 2}), "more than a test may have");
  const Tensor w = filled<float>({3, 4, 2}, 1);
  EXPECT_EQ(error_of(run_node({"Conv", {}, {x, w, filled<float>({2}, 1)}})),
            "its bias [2] needs the shape [3]");
  EXPECT_EQ(error_of(run_node({"Conv", {}, {x, filled<double>({3, 4, 2}, 1)}})),
            "its input 1 is a tensor of FP64, it takes one of FP32");
  EXPECT_EQ(error_of(run_node({"ConvTranspose", {{"group", int64_t{3}}}, {x, w}})),
            "3 groups do not share the 4 channels of its input among its weights [3,4,2]");
}

TEST(Convolution, without_elements_no_extent_is_too_large) {
  const Tensor x = Tensor::of<float>({0, 1, int64_t{1} << 61}, {});
  const Tensor w = Tensor::of<float>({1, 1, 1}, {1});
  EXPECT_EQ(values_of<float>(run_node({"Conv", {}, {x, w}})), std::vector<float>());
  const Tensor channels = Tensor::of<float>({1, 0, 3}, {});
  const Tensor spread = Tensor::of<float>({0, 1, 1}, {});
  const Attributes groups = {{"group", int64_t{1} << 62}};
  EXPECT_EQ(error_of(run_node({"ConvTranspose", groups, {channels, spread}})),
            "shape [1,4611686018427387904,3] has more than 2^62 elements");
}

}  // namespace
}  // namespace casemate::engine
