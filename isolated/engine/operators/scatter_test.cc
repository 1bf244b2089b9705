// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

Attributes reducing(const char* reduction) { return {{"reduction", reduction}}; }

TEST(ScatterElements, writes_one_by_one) {
  const Tensor x = counting({2, 3});
  const Tensor picks = Tensor::of<int64_t>({1, 2}, {1, -2});
  const Tensor updates = floats({1, 2}, {10, 20});
  EXPECT_EQ(values_of<float>(run_node({"ScatterElements", {}, {x, picks, updates}})),
            (std::vector<float>{0, 20, 2, 10, 4, 5}));
  EXPECT_EQ(
      values_of<float>(run_node({"Scatter", {{"axis", int64_t{1}}}, {x, picks, updates}, 1, 9})),
      (std::vector<float>{0, 20, 2, 3, 4, 5}));
  EXPECT_EQ(x, counting({2, 3}));
}

TEST(ScatterElements, combines_with_every_reduction) {
  const Tensor x = Tensor::of<int32_t>({2}, {5, 7});
  const Tensor picks = list({0, 0});
  const Tensor updates = Tensor::of<int32_t>({2}, {3, 8});
  const auto first = [&](const char* reduction) {
    return values_of<int32_t>(
        run_node({"ScatterElements", reducing(reduction), {x, picks, updates}}))[0];
  };
  EXPECT_EQ(first("add"), 16);
  EXPECT_EQ(first("mul"), 120);
  EXPECT_EQ(first("max"), 8);
  EXPECT_EQ(first("min"), 3);
  EXPECT_EQ(first("none"), 8);
}

TEST(ScatterElements, reduces_elements_of_every_kind) {
  constexpr int8_t kHigh = std::numeric_limits<int8_t>::max();
  const Tensor bytes = Tensor::of<int8_t>({1}, {kHigh});
  EXPECT_EQ(
      values_of<int8_t>(run_node({"ScatterElements", reducing("add"), {bytes, list({0}), bytes}})),
      std::vector<int8_t>{-2});
  const Tensor halves = Tensor::of<Bfloat16>({1}, {Bfloat16(1.5F)});
  EXPECT_EQ(values_of<Bfloat16>(
                run_node({"ScatterElements", reducing("mul"), {halves, list({0}), halves}})),
            std::vector<Bfloat16>{Bfloat16(2.25F)});
  const Tensor bools = Tensor::of<bool>({1}, {true});
  const Tensor no = Tensor::of<bool>({1}, {false});
  EXPECT_EQ(values_of<bool>(run_node({"ScatterElements", reducing("min"), {bools, list({0}), no}})),
            std::vector<bool>{false});
  EXPECT_EQ(values_of<bool>(run_node({"ScatterElements", reducing("add"), {bools, list({0}), no}})),
            std::vector<bool>{true});
  const auto nan = run_node(
      {"ScatterElements", reducing("max"), {floats({1}, {1}), list({0}), floats({1}, {NAN})}});
  EXPECT_TRUE(std::isnan(values_of<float>(nan)[0]));
  EXPECT_EQ(values_of<std::string>(run_node(
                {"ScatterElements", {}, {texts({2}, {"a", "b"}), list({-1}), texts({1}, {"c"})}})),
            (std::vector<std::string>{"a", "c"}));
}

TEST(ScatterElements, refuses_what_does_not_fit) {
  const Tensor x = counting({2, 3});
  const auto refusal = [&](const Tensor& picks, const Tensor& updates, const char* how = "none") {
    return error_of(run_node({"ScatterElements", reducing(how), {x, picks, updates}}));
  };
  const Tensor one = floats({1, 1}, {1});
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 1}, {2}), one),
            "index 2 is outside of an axis of extent 2");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 1}, {INT64_MIN}), one, "add"),
            "index -9223372036854775808 is outside of an axis of extent 2");
  EXPECT_EQ(refusal(list({0}), floats({1}, {1})),
            "indices of shape [1] and updates of shape [1] do not fit data of shape [2,3]");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 4}, {0, 0, 0, 0}), floats({1, 4}, {1, 1, 1, 1})),
            "indices of shape [1,4] and updates of shape [1,4] do not fit data of shape [2,3]");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 1}, {0}), Tensor::of<int64_t>({1, 1}, {0})),
            "its input 2 is a tensor of INT64, it takes one of FP32");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 1}, {0}), Tensor::of<int64_t>({1, 1}, {0}), "add"),
            "its input 2 is a tensor of INT64, it takes one of FP32");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 1}, {0}), one, "mean"), "there is no reduction 'mean'");
  EXPECT_EQ(
      error_of(run_node(
          {"ScatterElements", reducing("add"), {texts({1}, {"a"}), list({0}), texts({1}, {"b"})}})),
      "it is not defined for tensors of BYTES");
}

TEST(ScatterND, writes_slices_or_adds_them) {
  const Tensor x = counting<int64_t>({2, 2});
  const Tensor row = Tensor::of<int64_t>({1, 1}, {-1});
  const Tensor update = Tensor::of<int64_t>({1, 2}, {10, 20});
  using Longs = std::vector<int64_t>;
  EXPECT_EQ(values_of<int64_t>(run_node({"ScatterND", {}, {x, row, update}})),
            (Longs{0, 1, 10, 20}));
  const Tensor corners = Tensor::of<int64_t>({2, 2}, {0, 1, 0, 1});
  EXPECT_EQ(
      values_of<int64_t>(run_node({"ScatterND", reducing("add"), {x, corners, list({5, 6})}})),
      (Longs{0, 12, 2, 3}));
}

TEST(ScatterND, refuses_what_does_not_fit) {
  const Tensor x = counting({2, 2});
  const auto refusal = [&](const Tensor& picks, const Tensor& updates) {
    return error_of(run_node({"ScatterND", {}, {x, picks, updates}}));
  };
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 2}, {0, 2}), floats({1}, {1})),
            "index 2 is outside of an axis of extent 2");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 3}, {0, 0, 0}), floats({1}, {1})),
            "indices of shape [1,3] do not fit data of shape [2,2]");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({}, {0}), floats({}, {1})),
            "indices of shape [] do not fit data of shape [2,2]");
  EXPECT_EQ(refusal(Tensor::of<int64_t>({1, 1}, {0}), floats({1}, {1})),
            "updates of shape [1] do not fit data of shape [2,2] and indices of shape [1,1]");
}

}  // namespace
}  // namespace casemate::engine
