// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "base/format.h"
#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

NodeRun cast(const Tensor& x, ElementType to) {
  return {"Cast", {{"to", static_cast<int64_t>(to)}}, {x}};
}

template <class T>
std::vector<T> as(const Tensor& x) {
  return values_of<T>(run_node(cast(x, element_type_of<T>())));
}

TEST(Cast, integers_wrap_into_narrower_ones) {
  const Tensor x = Tensor::of<int16_t>({4}, {200, -1, 256, 127});
  EXPECT_EQ(as<int8_t>(x), (std::vector<int8_t>{-56, -1, 0, 127}));
  EXPECT_EQ(as<uint64_t>(x), (std::vector<uint64_t>{200, UINT64_MAX, 256, 127}));
  EXPECT_EQ(as<bool>(x), (std::vector<bool>{true, true, true, true}));
  EXPECT_EQ(as<float>(x), (std::vector<float>{200, -1, 256, 127}));
}

TEST(Cast, what_an_integer_cannot_hold_becomes_its_bound) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::of<float>({6}, {1e10F, -1e10F, infinity, -infinity, -2.9F, 0.5F});
  EXPECT_EQ(as<int8_t>(x), (std::vector<int8_t>{127, -128, 127, -128, -2, 0}));
  EXPECT_EQ(as<uint32_t>(x), (std::vector<uint32_t>{UINT32_MAX, 0, UINT32_MAX, 0, 0, 0}));
  EXPECT_EQ(as<int32_t>(x),
            (std::vector<int32_t>{INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, -2, 0}));
  EXPECT_EQ(as<bool>(x), (std::vector<bool>{true, true, true, true, true, true}));
  const Tensor nan = Tensor::of<double>({2}, {std::nan(""), -0.0});
  EXPECT_EQ(as<int64_t>(nan), (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(as<bool>(nan), (std::vector<bool>{true, false}));
}

TEST(Cast, floats_are_rounded_to_even) {
  // Halfway between neighbours of float16, and of bfloat16.
  const Tensor x = Tensor::of<float>({3}, {2049, 2051, 65520});
  EXPECT_EQ(as<Float16>(x)[0], Float16(2048));
  EXPECT_EQ(as<Float16>(x)[1], Float16(2052));
  EXPECT_TRUE(std::isinf(static_cast<float>(as<Float16>(x)[2])));
  const Tensor y = Tensor::of<float>({3}, {257, 259, std::nanf("")});
  EXPECT_EQ(as<Bfloat16>(y)[0], Bfloat16(256));
  EXPECT_EQ(as<Bfloat16>(y)[1], Bfloat16(260));
  EXPECT_TRUE(std::isnan(static_cast<float>(as<Bfloat16>(y)[2])));
  // Rounded once: by way of float it would become a tie, and 2048.
  const Tensor z = Tensor::of<double>({1}, {2049.0000001});
  EXPECT_EQ(as<Float16>(z)[0], Float16(2050));
  const Tensor large = Tensor::of<int64_t>({1}, {INT64_MAX});
  EXPECT_TRUE(std::isinf(static_cast<float>(as<Float16>(large)[0])));
  EXPECT_EQ(as<Bfloat16>(large)[0], Bfloat16(0x1p63F));
}

TEST(Cast, every_pair_of_types_keeps_a_small_number) {
  const Tensor x = Tensor::of<float>({2}, {0, 1});
  for (uint32_t from = 1; from <= 16; ++from) {
    for (uint32_t to = 1; to <= 16; ++to) {
      const auto of = element_type_from(from);
      const auto into = element_type_from(to);
      if (!of || !into) continue;
      const auto there = run_node(cast(x, *of));
      ASSERT_TRUE(there) << there.error().text;
      const auto back = run_node(cast(*(*there)[0].tensor(), *into));
      ASSERT_TRUE(back) << back.error().text;
      EXPECT_EQ((*back)[0].tensor()->type(), *into);
      EXPECT_EQ(as<bool>(*(*back)[0].tensor()), (std::vector<bool>{false, true}))
          << from << ' ' << to;
    }
  }
}

TEST(Cast, a_bool_of_any_byte_is_one) {
  const Tensor x = *Tensor::make(ElementType::kBool, {2}, std::string("\0\2", 2));
  EXPECT_EQ(as<int32_t>(x), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(as<Bfloat16>(x), (std::vector<Bfloat16>{Bfloat16(0), Bfloat16(1)}));
  EXPECT_EQ(as<std::string>(x), (std::vector<std::string>{"False", "True"}));
}

TEST(Cast, numbers_become_text_and_back) {
  const Tensor x = Tensor::of<float>({2}, {0.9767611F, std::numeric_limits<float>::infinity()});
  EXPECT_EQ(as<std::string>(x), (std::vector<std::string>{"0.9767611", "INF"}));
  const Tensor texts = *Tensor::make({2}, std::vector<std::string>{"0.47892547", "-INF"});
  EXPECT_EQ(as<float>(texts),
            (std::vector<float>{0.47892547F, -std::numeric_limits<float>::infinity()}));
  const Tensor words = *Tensor::make({1}, std::vector<std::string>{"Hello World!"});
  EXPECT_EQ(error_of(run_node(cast(words, ElementType::kInt8))),
            "the text 'Hello World!' is no number");
}

TEST(Cast, the_same_type_shares_its_elements) {
  const Tensor x = Tensor::of<float>({2}, {1, 2});
  EXPECT_TRUE((*run_node(cast(x, ElementType::kFloat32)))[0].tensor()->shares_with(x));
  const Tensor like = Tensor::of<float>({}, {0});
  EXPECT_TRUE((*run_node({"CastLike", {}, {x, like}}))[0].tensor()->shares_with(x));
}

TEST(Cast, the_type_may_come_from_another_tensor) {
  const Tensor x = Tensor::of<float>({2}, {1.5F, -1});
  const Tensor like = Tensor::of<int16_t>({0}, {});
  EXPECT_EQ(values_of<int16_t>(run_node({"CastLike", {}, {x, like}})),
            (std::vector<int16_t>{1, -1}));
  EXPECT_EQ(error_of(run_node({"CastLike", {}, {x, Datum()}})),
            "its input 1, which gives the type, is no tensor");
}

TEST(Cast, types_were_names_before_set_6) {
  const Tensor x = Tensor::of<float>({1}, {2.5F});
  EXPECT_EQ(values_of<int64_t>(run_node({"Cast", {{"to", "INT64"}}, {x}, 1, 1})),
            std::vector<int64_t>{2});
  EXPECT_EQ(error_of(run_node({"Cast", {{"to", "int64"}}, {x}, 1, 1})),
            "its attribute 'to' is int64, which is no element type that is supported");
}

TEST(Cast, numbers_that_name_no_type_are_refused) {
  const Tensor x = Tensor::of<float>({1}, {1});
  for (const int64_t to : {int64_t{17}, int64_t{-1}, int64_t{1} << 32 | 1, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(
        error_of(run_node({"Cast", {{"to", to}}, {x}})),
        formatted("its attribute 'to' is {}, which is no element type that is supported", to));
  }
  EXPECT_EQ(error_of(run_node({"Cast", {}, {x}})), "it has no attribute 'to'");
  EXPECT_EQ(error_of(run_node({"Cast", {{"to", int64_t{1}}}, {Datum()}})),
            "it is not defined for tensors of NONE");
  const Tensor many = *Tensor::zeros(ElementType::kBool, {2 << 20});
  EXPECT_EQ(error_of(run_node(cast(many, ElementType::kString))), "more than a test may have");
}

}  // namespace
}  // namespace casemate::engine
