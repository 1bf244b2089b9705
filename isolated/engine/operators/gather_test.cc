// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using Texts = std::vector<std::string>;

TEST(Gather, picks_along_an_axis) {
  const Tensor x = counting<int16_t>({3, 2});
  const Tensor picks = Tensor::of<int64_t>({2, 2}, {0, 1, -1, 2});
  const auto rows = run_node({"Gather", {}, {x, picks}});
  EXPECT_EQ(shape_of(rows), "[2,2,2]");
  EXPECT_EQ(values_of<int16_t>(rows), (std::vector<int16_t>{0, 1, 2, 3, 4, 5, 4, 5}));
  const Tensor narrow = Tensor::of<int32_t>({}, {-2});
  const auto column = run_node({"Gather", {{"axis", int64_t{1}}}, {x, narrow}});
  EXPECT_EQ(shape_of(column), "[3]");
  EXPECT_EQ(values_of<int16_t>(column), (std::vector<int16_t>{0, 2, 4}));
  EXPECT_EQ(
      values_of<std::string>(run_node({"Gather", {}, {texts({2}, {"a", "b"}), list({1, 1})}})),
      (Texts{"b", "b"}));
}

TEST(Gather, refuses_indices_outside) {
  const Tensor x = counting({3, 2});
  const auto refusal = [&](int64_t index) {
    return error_of(run_node({"Gather", {}, {x, list({0, index})}}));
  };
  EXPECT_EQ(refusal(3), "index 3 is outside of an axis of extent 3");
  EXPECT_EQ(refusal(-4), "index -4 is outside of an axis of extent 3");
  EXPECT_EQ(refusal(INT64_MIN), "index -9223372036854775808 is outside of an axis of extent 3");
  EXPECT_EQ(error_of(run_node({"Gather", {}, {counting({0, 2}), list({0})}})),
            "index 0 is outside of an axis of extent 0");
  EXPECT_EQ(error_of(run_node({"Gather", {}, {x, floats({1}, {0})}})),
            "its input 1 is a tensor of FP32, it takes one of INT32");
  EXPECT_EQ(error_of(run_node({"Gather", {}, {counting({}), list({0})}})),
            "axis 0 is none of a tensor of rank 0");
  EXPECT_EQ(
      error_of(run_node(
          {"Gather", {}, {counting({1, 1, 1, 1, 1}), Tensor::of<int64_t>({1, 1, 1, 1, 1}, {0})}})),
      "a tensor of rank 9 is over the limit of 8");
}

TEST(Gather, of_a_long_text_is_refused_before_it_is_copied) {
  const Tensor x = texts({1}, {std::string(1 << 20, 'x')});
  std::vector<int64_t> zeros(65, 0);
  EXPECT_EQ(error_of(run_node({"Gather", {}, {x, Tensor::of<int64_t>({65}, zeros)}})),
            "more than a test may have");
}

TEST(GatherElements, picks_one_by_one) {
  const Tensor x = counting({3, 3});
  const Tensor picks = Tensor::of<int64_t>({2, 3}, {1, 2, 0, -1, 0, 0});
  EXPECT_EQ(values_of<float>(run_node({"GatherElements", {}, {x, picks}})),
            (std::vector<float>{3, 7, 2, 6, 1, 2}));
  EXPECT_EQ(values_of<float>(run_node({"GatherElements", {{"axis", int64_t{-1}}}, {x, picks}})),
            (std::vector<float>{1, 2, 0, 5, 3, 3}));
  EXPECT_EQ(values_of<std::string>(run_node(
                {"GatherElements", {}, {texts({2}, {"a", "b"}), Tensor::of<int32_t>({1}, {1})}})),
            Texts{"b"});
}

TEST(GatherElements, refuses_what_is_outside) {
  const Tensor x = counting({3, 3});
  EXPECT_EQ(error_of(run_node({"GatherElements", {}, {x, Tensor::of<int64_t>({1, 1}, {3})}})),
            "index 3 is outside of an axis of extent 3");
  EXPECT_EQ(
      error_of(run_node({"GatherElements", {}, {x, Tensor::of<int64_t>({1, 4}, {0, 0, 0, 0})}})),
      "indices of shape [1,4] do not fit data of shape [3,3]");
  EXPECT_EQ(error_of(run_node({"GatherElements", {}, {x, list({0})}})),
            "indices of shape [1] do not fit data of shape [3,3]");
}

TEST(GatherND, picks_by_tuples) {
  const Tensor x = counting<uint8_t>({2, 2, 2});
  const Tensor elements = Tensor::of<int64_t>({2, 3}, {0, 1, 0, -1, 0, 1});
  EXPECT_EQ(values_of<uint8_t>(run_node({"GatherND", {}, {x, elements}})),
            (std::vector<uint8_t>{2, 5}));
  const Tensor rows = Tensor::of<int64_t>({1, 2}, {1, 0});
  const auto row = run_node({"GatherND", {}, {x, rows}});
  EXPECT_EQ(shape_of(row), "[1,2]");
  EXPECT_EQ(values_of<uint8_t>(row), (std::vector<uint8_t>{4, 5}));
  const Tensor one_of_each = Tensor::of<int64_t>({2, 1}, {1, 0});
  const auto batched = run_node({"GatherND", {{"batch_dims", int64_t{1}}}, {x, one_of_each}});
  EXPECT_EQ(shape_of(batched), "[2,2]");
  EXPECT_EQ(values_of<uint8_t>(batched), (std::vector<uint8_t>{2, 3, 4, 5}));
}

TEST(GatherND, refuses_tuples_that_do_not_fit) {
  const Tensor x = counting({2, 3});
  const auto refusal = [&](const Tensor& picks, int64_t batch = 0) {
    return error_of(run_node({"GatherND", {{"batch_dims", batch}}, {x, picks}}));
  };
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 2}, {2, 0})),
            "index 2 is outside of an axis of extent 2");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 3}, {0, 0, 0})),
            "index tuples of 3 do not fit data of shape [2,3]");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 0}, std::initializer_list<int64_t>{})),
            "index tuples of 0 do not fit data of shape [2,3]");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({}, {0})),
            "shapes [2,3] and [] have not 0 batch dimensions and more in common");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({3, 1}, {0, 0, 0}), 1),
            "shapes [2,3] and [3,1] have not 1 batch dimensions and more in common");
  EXPECT_EQ(refusal(list({0}), INT64_MIN),
            "shapes [2,3] and [1] have not -9223372036854775808 batch dimensions and more in "
            "common");
}

TEST(ArrayFeatureExtractor, picks_columns_and_nothing_beside_them) {
  const char* op = "ai.onnx.ml:ArrayFeatureExtractor";
  const Tensor x = counting({2, 3});
  const auto y = run_node({op, {}, {x, list({2, 0})}});
  EXPECT_EQ(shape_of(y), "[2,2]");
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{2, 0, 5, 3}));
  EXPECT_EQ(shape_of(run_node({op, {}, {counting({3}), Tensor::of<int64_t>({1, 2}, {0, 1})}})),
            "[1,2]");
  // Elsewhere this read what stands in memory beside the tensor.
  EXPECT_EQ(error_of(run_node({op, {}, {x, list({3})}})), "index 3 is none of 3 features");
  EXPECT_EQ(error_of(run_node({op, {}, {x, list({-1})}})), "index -1 is none of 3 features");
  EXPECT_EQ(error_of(run_node({op, {}, {counting({}), list({0})}})), "its input is a scalar");
}

}  // namespace
}  // namespace casemate::engine
