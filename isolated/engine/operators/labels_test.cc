// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Texts = std::vector<std::string>;
using Numbers64 = std::vector<int64_t>;

constexpr const char* kEncoder = "ai.onnx.ml:LabelEncoder";

TEST(LabelEncoder, looks_each_element_up) {
  const Tensor x = *Tensor::make({3}, Texts{"a", "z", "b"});
  const Attributes to_numbers = {{"keys_strings", Texts{"a", "b"}},
                                 {"values_int64s", Numbers64{5, 6}},
                                 {"default_int64", int64_t{42}}};
  EXPECT_EQ(values_of<int64_t>(run_node({kEncoder, to_numbers, {x}})), (Numbers64{5, 42, 6}));
  const Attributes tensors = {{"keys_tensor", Tensor::of<int16_t>({2}, {1, 2})},
                              {"values_tensor", Tensor::of<double>({2}, {0.5, 1.5})},
                              {"default_tensor", Tensor::of<double>({1}, {9})}};
  const Tensor shorts = Tensor::of<int16_t>({2, 1}, {2, 3});
  EXPECT_EQ(values_of<double>(run_node({kEncoder, tensors, {shorts}})),
            (std::vector<double>{1.5, 9}));
}

TEST(LabelEncoder, without_a_default_has_that_of_the_schema) {
  const Tensor x = Tensor::of<int64_t>({1}, {7});
  const auto missed = [&](std::string name, Attribute values) {
    return run_node({kEncoder, {{"keys_int64s", Numbers64{1}}, {name, std::move(values)}}, {x}});
  };
  EXPECT_EQ(values_of<std::string>(missed("values_strings", Texts{"a"})), Texts{"_Unused"});
  EXPECT_EQ(values_of<int64_t>(missed("values_int64s", Numbers64{3})), Numbers64{-1});
  EXPECT_TRUE(std::signbit(values_of<float>(missed("values_floats", std::vector<float>{3}))[0]));
  EXPECT_EQ(values_of<int32_t>(missed("values_tensor", Tensor::of<int32_t>({1}, {3}))),
            std::vector<int32_t>{-1});
}

TEST(LabelEncoder, compares_floats_by_their_bits_at_first) {
  const float other_nan = std::bit_cast<float>(0x7fc00001U);
  const Attributes attributes = {{"keys_floats", std::vector<float>{NAN, 0, 0}},
                                 {"values_int64s", Numbers64{1, 2, 3}}};
  const Tensor x = Tensor::of<float>({3}, {NAN, other_nan, -0.0F});
  EXPECT_EQ(values_of<int64_t>(run_node({kEncoder, attributes, {x}, 1, 2})),
            (Numbers64{1, -1, -1}));
  EXPECT_EQ(values_of<int64_t>(run_node({kEncoder, attributes, {x}, 1, 4})), (Numbers64{1, 1, 3}));
}

TEST(LabelEncoder, version_one_counts_its_classes) {
  const Attributes attributes = {{"classes_strings", Texts{"a", "b"}}};
  const Tensor x = Tensor::of<int64_t>({3}, {1, -1, INT64_MAX});
  EXPECT_EQ(values_of<std::string>(run_node({kEncoder, attributes, {x}, 1, 1})),
            (Texts{"b", "_Unused", "_Unused"}));
  const Tensor words = *Tensor::make({2}, Texts{"b", "c"});
  EXPECT_EQ(values_of<int64_t>(run_node({kEncoder, attributes, {words}, 1, 1})),
            (Numbers64{1, -1}));
}

TEST(LabelEncoder, keys_and_values_that_do_not_agree_are_refused) {
  const Tensor x = Tensor::of<int64_t>({1}, {7});
  const auto error = [&](Attributes attributes) {
    return error_of(run_node({kEncoder, std::move(attributes), {x}}));
  };
  EXPECT_EQ(error({{"keys_int64s", Numbers64{1}}, {"values_int64s", Numbers64{1, 2}}}),
            "it has 1 keys and 2 values");
  EXPECT_EQ(error({{"keys_int64s", Numbers64{1}}}),
            "it has 0 of the attributes 'values_...', it needs one");
  EXPECT_EQ(error({{"keys_strings", Texts{"a"}}, {"values_int64s", Numbers64{1}}}),
            "its input is a tensor of INT64, its keys are BYTES");
  EXPECT_EQ(error({{"keys_int64s", Numbers64{1}},
                   {"values_int64s", Numbers64{1}},
                   {"default_tensor", Tensor::of<int64_t>({0}, {})}}),
            "attribute 'default_tensor' is not one element of the values' type");
}

TEST(Binarizer, is_one_above_its_threshold) {
  const Attributes attributes = {{"threshold", 1.5F}};
  const Tensor x = Tensor::of<float>({3}, {1.5F, 2, NAN});
  EXPECT_EQ(values_of<float>(run_node({"ai.onnx.ml:Binarizer", attributes, {x}})),
            (std::vector<float>{0, 1, 0}));
  const Tensor whole = Tensor::of<int32_t>({2}, {1, 2});
  EXPECT_EQ(values_of<int32_t>(run_node({"ai.onnx.ml:Binarizer", attributes, {whole}})),
            (std::vector<int32_t>{0, 1}));
}

}  // namespace
}  // namespace casemate::engine
