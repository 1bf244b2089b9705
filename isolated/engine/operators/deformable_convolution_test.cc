// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Numbers64 = std::vector<int64_t>;

template <class T = float>
Tensor filled(const Shape& shape, std::type_identity_t<T> value) {
  return Tensor::of<T>(shape, std::vector<T>(*shape.element_count(), value));
}

// 0, 1, 2, ...
Tensor counted(const Shape& shape) {
  std::vector<float> values(*shape.element_count());
  std::iota(values.begin(), values.end(), 0.0F);
  return Tensor::of<float>(shape, values);
}

TEST(DeformConv, without_offsets_is_a_convolution) {
  const Attributes attributes = {{"group", int64_t{2}},
                                 {"offset_group", int64_t{2}},
                                 {"pads", Numbers64{1, 0, 1, 1}},
                                 {"strides", Numbers64{1, 2}}};
  const Tensor x = counted({2, 4, 5, 6});
  const Tensor w = counted({2, 2, 3, 2});
  const Tensor offsets = filled({2, 2 * 6 * 2, 5, 3}, 0);
  auto plain = attributes;
  plain.erase("offset_group");
  EXPECT_EQ(values_of<float>(run_node({"DeformConv", attributes, {x, w, offsets}})),
            values_of<float>(run_node({"Conv", plain, {x, w}})));
}

TEST(DeformConv, offsets_move_taps_between_cells) {
  const Tensor x = Tensor::of<float>({1, 1, 1, 3}, {0, 10, 20});
  const Tensor w = filled({1, 1, 1, 1}, 1);
  // By row, then by column: half a cell to the right of each, the last one half outside.
  const Tensor right = Tensor::of<float>({1, 2, 1, 3}, {0, 0, 0, 0.5F, 0.5F, 0.5F});
  EXPECT_EQ(values_of<float>(run_node({"DeformConv", {}, {x, w, right}})),
            (std::vector<float>{5, 15, 10}));
  const Tensor mask = Tensor::of<float>({1, 1, 1, 3}, {1, 2, 0});
  const Tensor bias = Tensor::of<float>({1}, {1});
  EXPECT_EQ(values_of<float>(run_node({"DeformConv", {}, {x, w, right, bias, mask}})),
            (std::vector<float>{6, 31, 1}));
}

TEST(DeformConv, offsets_that_lead_nowhere_meet_zeros) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::of<double>({1, 1, 4}, {1, 2, 3, 4});
  const Tensor w = filled<double>({1, 1, 1}, 1);
  const Tensor far = Tensor::of<double>({1, 1, 4}, {NAN, kInfinity, -kInfinity, 1e300});
  EXPECT_EQ(values_of<double>(run_node({"DeformConv", {}, {x, w, far}})),
            std::vector<double>(4, 0));
}

TEST(DeformConv, in_three_dimensions_takes_short_floats) {
  const Tensor x = filled<Bfloat16>({1, 1, 2, 2, 2}, Bfloat16(3));
  const Tensor w = filled<Bfloat16>({1, 1, 2, 2, 2}, Bfloat16(1));
  const Tensor offsets = filled<Bfloat16>({1, 24, 1, 1, 1}, Bfloat16(0));
  EXPECT_EQ(values_of<Bfloat16>(run_node({"DeformConv", {}, {x, w, offsets}})),
            std::vector{Bfloat16(24)});
}

TEST(DeformConv, offsets_of_another_shape_are_refused) {
  const Tensor x = counted({1, 2, 3, 3});
  const Tensor w = counted({1, 2, 2, 2});
  const Tensor offsets = filled({1, 8, 2, 2}, 0);
  const auto error = [&](Attributes attributes, std::vector<Datum> inputs) {
    return error_of(run_node({"DeformConv", std::move(attributes), std::move(inputs)}));
  };
  EXPECT_EQ(error({}, {x, w, filled({1, 8, 3, 2}, 0)}),
            "its offsets [1,8,3,2] need the shape [1,8,2,2]");
  EXPECT_EQ(error({{"offset_group", int64_t{3}}}, {x, w, offsets}),
            "3 groups of offsets do not divide 2 channels");
  EXPECT_EQ(error({}, {x, w, offsets, Datum(), filled({1, 8, 2, 2}, 1)}),
            "its mask [1,8,2,2] needs the shape [1,4,2,2]");
  const Tensor none = Tensor::of<float>({1, 0, 3, 3}, {});
  const Tensor no_weights = Tensor::of<float>({1, 0, 2, 2}, {});
  EXPECT_EQ(error({{"offset_group", INT64_MAX}}, {none, no_weights, offsets}),
            "9223372036854775807 groups of offsets are too many");
}

}  // namespace
}  // namespace casemate::engine
