// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "base/format.h"
#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Bytes8 = std::vector<uint8_t>;

Tensor scalar(float value) { return Tensor::of<float>({}, {value}); }

TEST(Quantise, elements_are_rounded_to_even_and_saturated) {
  const Tensor x = Tensor::of<float>({6}, {0, 2, 3, 1000, -254, -1000});
  const Tensor zero = Tensor::of<uint8_t>({}, {128});
  EXPECT_EQ(values_of<uint8_t>(run_node({"QuantizeLinear", {}, {x, scalar(2), zero}})),
            (Bytes8{128, 129, 130, 255, 1, 0}));
  const Tensor low = Tensor::of<int8_t>({}, {0});
  EXPECT_EQ(values_of<int8_t>(run_node({"QuantizeLinear", {}, {x, scalar(2), low}})),
            (std::vector<int8_t>{0, 1, 2, 127, -127, -128}));
  const Tensor wide = Tensor::of<int16_t>({1}, {256});
  EXPECT_EQ(values_of<int16_t>(run_node({"QuantizeLinear", {}, {x, scalar(0.01F), wide}})),
            (std::vector<int16_t>{256, 456, 556, 32767, -25144, -32768}));
}

TEST(Quantise, the_type_is_that_of_the_zero_point_or_an_attribute) {
  const Tensor x = Tensor::of<float>({2}, {-1, 300});
  EXPECT_EQ(values_of<uint8_t>(run_node({"QuantizeLinear", {}, {x, scalar(1)}})), (Bytes8{0, 255}));
  const Attributes wide = {{"output_dtype", int64_t{4}}};
  EXPECT_EQ(values_of<uint16_t>(run_node({"QuantizeLinear", wide, {x, scalar(1)}})),
            (std::vector<uint16_t>{0, 300}));
  const Tensor zero = Tensor::of<int8_t>({}, {0});
  EXPECT_EQ(error_of(run_node({"QuantizeLinear", wide, {x, scalar(1), zero}})),
            "its output_dtype is UINT16, its zero point has INT8");
  EXPECT_EQ(error_of(run_node({"QuantizeLinear", {{"output_dtype", int64_t{1}}}, {x, scalar(1)}})),
            "it is not defined for tensors of FP32");
}

TEST(Quantise, integers_and_narrow_floats_are_quantised_too) {
  const Tensor whole = Tensor::of<int32_t>({3}, {INT32_MIN, 100, INT32_MAX});
  EXPECT_EQ(values_of<uint8_t>(run_node({"QuantizeLinear", {}, {whole, scalar(4)}})),
            (Bytes8{0, 25, 255}));
  const Tensor scale = Tensor::of<int32_t>({}, {4});
  EXPECT_EQ(values_of<uint8_t>(run_node({"QuantizeLinear", {}, {whole, scale}})),
            (Bytes8{0, 25, 255}));
  const Tensor half = Tensor::of<Float16>({2}, {Float16(1), Float16(3)});
  const Tensor step = Tensor::of<Float16>({}, {Float16(0.5F)});
  EXPECT_EQ(values_of<uint8_t>(run_node({"QuantizeLinear", {}, {half, step}})), (Bytes8{2, 6}));
  EXPECT_EQ(error_of(run_node({"QuantizeLinear", {}, {half, scalar(1)}})),
            "its input 1 is a tensor of FP32, it takes one of FP16");
}

TEST(Quantise, no_data_and_no_scale_is_undefined) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::of<float>({4}, {nan, 1, -1, 0});
  const Tensor zero = Tensor::of<int8_t>({}, {5});
  EXPECT_EQ(values_of<int8_t>(run_node({"QuantizeLinear", {}, {x, scalar(0), zero}})),
            (std::vector<int8_t>{-128, 127, -128, -128}));
  EXPECT_EQ(values_of<int8_t>(run_node({"QuantizeLinear", {}, {x, scalar(nan), zero}})),
            (std::vector<int8_t>{-128, -128, -128, -128}));
}

TEST(Quantise, scales_may_differ_along_an_axis) {
  const Tensor x = Tensor::of<float>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor scale = Tensor::of<float>({2}, {1, 0.5F});
  const Tensor zero = Tensor::of<uint8_t>({2}, {0, 100});
  const auto along = [&](int64_t axis) {
    return values_of<uint8_t>(run_node({"QuantizeLinear", {{"axis", axis}}, {x, scale, zero}}));
  };
  EXPECT_EQ(along(0), (Bytes8{1, 2, 3, 4, 110, 112, 114, 116}));
  EXPECT_EQ(along(1), (Bytes8{1, 2, 106, 108, 5, 6, 114, 116}));
  EXPECT_EQ(along(2), (Bytes8{1, 104, 3, 108, 5, 112, 7, 116}));
  EXPECT_EQ(along(-1), along(2));
  // A single dimension needs no axis.
  const Tensor row = Tensor::of<float>({2}, {1, 2});
  EXPECT_EQ(values_of<uint8_t>(run_node({"QuantizeLinear", {}, {row, scale, zero}})),
            (Bytes8{1, 104}));
}

TEST(Quantise, scales_may_differ_between_blocks) {
  const Attributes blocks = {{"axis", int64_t{1}}, {"block_size", int64_t{2}}};
  const Tensor x = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor scale = Tensor::of<float>({2, 2}, {1, 0.5F, 0.25F, 0.1F});
  EXPECT_EQ(values_of<uint8_t>(run_node({"QuantizeLinear", blocks, {x, scale}})),
            (Bytes8{1, 2, 6, 16, 20, 60}));
  const Attributes rows = {{"axis", int64_t{0}}, {"block_size", int64_t{2}}};
  const Tensor high = Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(values_of<uint8_t>(run_node({"QuantizeLinear", rows, {high, scale}})),
            (Bytes8{1, 4, 3, 8, 20, 60}));
  EXPECT_EQ(error_of(run_node({"QuantizeLinear", rows, {x, scale}})),
            "its scale of shape [2,2] does not fit the shape [2,3] of its data");
}

TEST(Quantise, what_was_quantised_comes_back) {
  const Tensor x = Tensor::of<uint8_t>({4}, {0, 3, 128, 255});
  const Tensor zero = Tensor::of<uint8_t>({}, {128});
  EXPECT_EQ(values_of<float>(run_node({"DequantizeLinear", {}, {x, scalar(2), zero}})),
            (std::vector<float>{-256, -250, 0, 254}));
  const Tensor whole = Tensor::of<int32_t>({2}, {INT32_MIN, INT32_MAX});
  const Tensor one = Tensor::of<int32_t>({}, {1});
  EXPECT_EQ(values_of<float>(run_node({"DequantizeLinear", {}, {whole, scalar(1), one}})),
            (std::vector<float>{-0x1p31F, 0x1p31F}));
  const Tensor scale = Tensor::of<Bfloat16>({}, {Bfloat16(0.5F)});
  EXPECT_EQ(values_of<Bfloat16>(run_node({"DequantizeLinear", {}, {x, scale}})),
            (std::vector<Bfloat16>{Bfloat16(0), Bfloat16(1.5F), Bfloat16(64), Bfloat16(127.5F)}));
  const Tensor steps = Tensor::of<float>({2}, {1, 10});
  const Tensor zeros = Tensor::of<int16_t>({2}, {1, 2});
  const Tensor y = Tensor::of<int16_t>({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(values_of<float>(run_node({"DequantizeLinear", {}, {y, steps, zeros}})),
            (std::vector<float>{0, 0, 2, 20}));
}

TEST(Quantise, scales_and_zero_points_fit_the_data) {
  const Tensor x = Tensor::of<uint8_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor two = Tensor::of<float>({2}, {1, 2});
  const auto refused = [&](Attributes attributes, std::vector<Datum> inputs) {
    return error_of(run_node({"DequantizeLinear", std::move(attributes), std::move(inputs)}));
  };
  EXPECT_EQ(refused({}, {x, two}),
            "its scale of shape [2] does not fit the shape [2,3] of its data");
  for (const int64_t axis : {int64_t{2}, int64_t{-3}, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(refused({{"axis", axis}}, {x, two}),
              formatted("axis {} is none of a tensor of rank 2", axis));
  }
  EXPECT_EQ(refused({{"block_size", int64_t{-1}}}, {x, two}),
            "its block_size is -1, it takes none below 0");
  EXPECT_EQ(refused({{"block_size", INT64_MAX}}, {x, two}),
            "its scale of shape [2] does not fit the shape [2,3] of its data");
  const Tensor zero = Tensor::of<uint8_t>({}, {1});
  EXPECT_EQ(refused({{"axis", int64_t{0}}}, {x, two, zero}),
            "its zero point has the shape [], its scale has [2]; both must be alike");
  const Tensor other = Tensor::of<int8_t>({}, {1});
  EXPECT_EQ(refused({}, {x, scalar(1), other}),
            "its input 2 is a tensor of INT8, it takes one of UINT8");
  EXPECT_EQ(refused({}, {x}), "it is not defined for tensors of NONE");
}

TEST(Quantise, nothing_is_quantised_at_once) {
  const Tensor x = Tensor::of<uint8_t>({int64_t{1} << 40, 0, 5}, {});
  const Tensor none = Tensor::of<float>({0}, {});
  EXPECT_TRUE(values_of<float>(run_node({"DequantizeLinear", {}, {x, none}})).empty());
}

TEST(Quantise, scale_and_zero_point_are_found_in_the_data) {
  const Tensor x = Tensor::of<float>({6}, {0, 2, -3, -2.5F, 1.34F, 0.5F});
  const auto y = run_node({"DynamicQuantizeLinear", {}, {x}, 3});
  EXPECT_EQ(values_of<uint8_t>(y), (Bytes8{153, 255, 0, 26, 221, 179}));
  EXPECT_NEAR(values_of<float>(y, 1)[0], 0.0196078438F, 1e-9);
  EXPECT_EQ(values_of<uint8_t>(y, 2), Bytes8{153});
}

TEST(Quantise, data_of_any_kind_has_a_scale) {
  const Tensor zeros = Tensor::of<float>({2}, {0, 0});
  const auto y = run_node({"DynamicQuantizeLinear", {}, {zeros}, 3});
  EXPECT_EQ(values_of<uint8_t>(y), (Bytes8{0, 0}));
  EXPECT_EQ(values_of<float>(y, 1), std::vector<float>{1});
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor wild = Tensor::of<float>({4}, {infinity, -infinity, std::nanf(""), 1e-45F});
  EXPECT_TRUE(run_node({"DynamicQuantizeLinear", {}, {wild}, 3}));
  const Tensor tiny = Tensor::of<float>({2}, {1e-45F, 0});
  EXPECT_EQ(values_of<uint8_t>(run_node({"DynamicQuantizeLinear", {}, {tiny}, 3})),
            (Bytes8{255, 0}));
  EXPECT_EQ(error_of(run_node({"DynamicQuantizeLinear", {}, {zeros}, 1})),
            "it has 1 outputs, it makes three");
}

}  // namespace
}  // namespace casemate::engine
