// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Bools = std::vector<bool>;

Tensor texts(const Shape& shape, std::vector<std::string> values) {
  return *Tensor::make(shape, std::move(values));
}

// Bytes that are taken for truths.
Tensor truths(std::string bytes) {
  const Shape shape{static_cast<int64_t>(bytes.size())};
  return *Tensor::make(ElementType::kBool, shape, std::move(bytes));
}

TEST(Comparison, numbers_are_ordered) {
  const Tensor a = Tensor::of<float>({4}, {1, 2, 3, std::numeric_limits<float>::quiet_NaN()});
  const Tensor b = Tensor::of<float>({}, {2});
  EXPECT_EQ(values_of<bool>(run_node({"Equal", {}, {a, b}})), (Bools{0, 1, 0, 0}));
  EXPECT_EQ(values_of<bool>(run_node({"Greater", {}, {a, b}})), (Bools{0, 0, 1, 0}));
  EXPECT_EQ(values_of<bool>(run_node({"GreaterOrEqual", {}, {a, b}})), (Bools{0, 1, 1, 0}));
  EXPECT_EQ(values_of<bool>(run_node({"Less", {}, {a, b}})), (Bools{1, 0, 0, 0}));
  EXPECT_EQ(values_of<bool>(run_node({"LessOrEqual", {}, {a, b}})), (Bools{1, 1, 0, 0}));
  const Tensor c = Tensor::of<uint64_t>({2}, {1ull << 63, 1});
  const Tensor d = Tensor::of<uint64_t>({1}, {5});
  EXPECT_EQ(values_of<bool>(run_node({"Less", {}, {c, d}})), (Bools{0, 1}));
  const Tensor e = Tensor::of<Bfloat16>({2}, {Bfloat16(-1), Bfloat16(1)});
  const Tensor zero = Tensor::of<Bfloat16>({}, {Bfloat16(0)});
  EXPECT_EQ(values_of<bool>(run_node({"Greater", {}, {e, zero}})), (Bools{0, 1}));
}

TEST(Comparison, texts_are_equal_or_not) {
  const Tensor a = texts({2}, {"a", "b"});
  const Tensor b = texts({1}, {"b"});
  EXPECT_EQ(values_of<bool>(run_node({"Equal", {}, {a, b}})), (Bools{0, 1}));
  EXPECT_EQ(values_of<bool>(run_node({"Equal", {}, {b, a}})), (Bools{0, 1}));
  EXPECT_EQ(error_of(run_node({"Less", {}, {a, b}})), "it is not defined for tensors of BYTES");
}

TEST(Comparison, any_byte_but_zero_is_true) {
  const Tensor a = truths(std::string("\0\0\2\1", 4));
  const Tensor b = truths(std::string("\0\3\0\xFF", 4));
  EXPECT_EQ(values_of<bool>(run_node({"And", {}, {a, b}})), (Bools{0, 0, 0, 1}));
  EXPECT_EQ(values_of<bool>(run_node({"Or", {}, {a, b}})), (Bools{0, 1, 1, 1}));
  EXPECT_EQ(values_of<bool>(run_node({"Xor", {}, {a, b}})), (Bools{0, 1, 1, 0}));
  EXPECT_EQ(values_of<bool>(run_node({"Equal", {}, {a, b}})), (Bools{1, 0, 0, 1}));
  const Tensor numbers = Tensor::of<int32_t>({1}, {1});
  EXPECT_EQ(error_of(run_node({"And", {}, {numbers, numbers}})),
            "it is not defined for tensors of INT32");
}

TEST(Comparison, axes_placed_the_second_operand_before_set_7) {
  const Tensor a = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::of<float>({2}, {2, 3});
  const Attributes attributes = {{"broadcast", int64_t{1}}, {"axis", int64_t{0}}};
  EXPECT_EQ(values_of<bool>(run_node({"Less", attributes, {a, b}, 1, 1})), (Bools{1, 0, 0, 0}));
}

TEST(Comparison, elements_are_chosen_where_the_condition_says) {
  const Tensor condition = truths(std::string("\1\0", 2));
  const Tensor a = Tensor::of<int64_t>({2, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::of<int64_t>({2, 1}, {9, 8});
  EXPECT_EQ(values_of<int64_t>(run_node({"Where", {}, {condition, a, b}})),
            (std::vector<int64_t>{1, 9, 3, 8}));
  const Tensor x = texts({}, {"x"});
  const Tensor y = texts({2}, {"y", "z"});
  EXPECT_EQ(values_of<std::string>(run_node({"Where", {}, {condition, x, y}})),
            (std::vector<std::string>{"x", "z"}));
  const Tensor odd = truths("\2\3");
  EXPECT_EQ((*run_node({"Where", {}, {condition, odd, odd}}))[0], Datum(odd));
}

TEST(Comparison, what_is_chosen_from_is_alike_and_fits) {
  const Tensor condition = truths("\1\1");
  const Tensor a = Tensor::of<float>({2}, {1, 2});
  const Tensor b = Tensor::of<double>({2}, {1, 2});
  EXPECT_EQ(error_of(run_node({"Where", {}, {condition, a, b}})),
            "its input 2 is a tensor of FP64, it takes one of FP32");
  EXPECT_EQ(error_of(run_node({"Where", {}, {a, a, a}})),
            "its input 0 is a tensor of FP32, it takes one of BOOL");
  const Tensor three = Tensor::of<float>({3}, {1, 2, 3});
  EXPECT_EQ(error_of(run_node({"Where", {}, {condition, a, three}})),
            "its operands have the shapes [2] and [3], which cannot be broadcast to each other");
}

TEST(Comparison, a_long_text_is_not_chosen_beyond_memory) {
  const Tensor condition = truths(std::string(1000, '\1'));
  const Tensor text = texts({}, {std::string(1 << 20, 'a')});
  EXPECT_EQ(error_of(run_node({"Where", {}, {condition, text, text}})),
            "more than a test may have");
  const Tensor many = *Tensor::zeros(ElementType::kBool, {1 << 22});
  const Tensor none = texts({}, {""});
  EXPECT_EQ(error_of(run_node({"Where", {}, {many, none, none}})), "more than a test may have");
}

}  // namespace
}  // namespace casemate::engine
