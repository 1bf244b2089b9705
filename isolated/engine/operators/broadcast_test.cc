// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/broadcast.h"
#include "base/format.h"

#include <numeric>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

Tensor counted(const Shape& shape) {
  std::vector<int32_t> values(*shape.element_count());
  std::iota(values.begin(), values.end(), 1);
  return Tensor::of<int32_t>(shape, std::span<const int32_t>(values));
}

// a - b by the definition: each index of the result taken modulo the extents of an operand.
std::vector<int32_t> differences(const Tensor& a, const Tensor& b, const Shape& shape) {
  std::vector<int32_t> result;
  const auto element = [&](const Tensor& t, uint64_t flat) {
    int64_t offset = 0;
    int64_t step = 1;
    for (uint32_t i = 0; i < shape.rank(); ++i) {
      const uint32_t d = shape.rank() - 1 - i;
      const auto index = static_cast<int64_t>(flat) % shape[d];
      flat /= static_cast<uint64_t>(shape[d]);
      if (i >= t.shape().rank()) continue;
      const int64_t extent = t.shape()[t.shape().rank() - 1 - i];
      offset += index % extent * step;
      step *= extent;
    }
    return t.values<int32_t>()[static_cast<size_t>(offset)];
  };
  for (uint64_t i = 0; i < *shape.element_count(); ++i)
    result.push_back(element(a, i) - element(b, i));
  return result;
}

TEST(Broadcast, every_pair_of_shapes_follows_the_definition) {
  const std::vector<Shape> shapes = {
      {},        {1},       {5},       {4, 5},       {1, 5},       {4, 1},       {3, 4, 5},
      {3, 1, 5}, {1, 4, 1}, {3, 1, 1}, {2, 3, 4, 5}, {2, 1, 4, 1}, {1, 1, 1, 1}, {2, 3, 1, 1}};
  for (const Shape& of_a : shapes) {
    for (const Shape& of_b : shapes) {
      const Tensor a = counted(of_a);
      const Tensor b = counted(of_b);
      const auto shape = broadcast(of_a, of_b);
      ASSERT_TRUE(shape) << of_a.text() << of_b.text();
      const auto y = run_node({"Sub", {}, {a, b}});
      EXPECT_EQ((*y)[0].tensor()->shape(), *shape);
      EXPECT_EQ(values_of<int32_t>(y), differences(a, b, *shape)) << of_a.text() << of_b.text();
    }
  }
}

TEST(Broadcast, extents_of_zero_stay) {
  EXPECT_EQ(*broadcast({0, 3}, {1}), (Shape{0, 3}));
  EXPECT_EQ(*broadcast({1}, {0}), (Shape{0}));
  EXPECT_FALSE(broadcast({2}, {0}));
  EXPECT_TRUE(values_of<int32_t>(run_node({"Sub", {}, {counted({0, 3}), counted({3})}})).empty());
}

TEST(Broadcast, shapes_that_do_not_fit_are_refused) {
  EXPECT_EQ(error_of(run_node({"Add", {}, {counted({2, 3}), counted({2})}})),
            "its operands have the shapes [2,3] and [2], which cannot be broadcast to each other");
}

TEST(Broadcast, what_is_made_stays_within_the_limit) {
  const Tensor a = *Tensor::zeros(ElementType::kInt32, {1 << 16, 1});
  const Tensor b = *Tensor::zeros(ElementType::kInt32, {1 << 16});
  EXPECT_EQ(error_of(run_node({"Add", {}, {a, b}})), "more than a test may have");
}

TEST(Broadcast, neighbours_that_lie_alike_become_one_dimension) {
  EXPECT_EQ(loops_over({2, 3, 4}, {{2, 3, 4}, {2, 3, 4}}).shape, (Shape{24}));
  EXPECT_EQ(loops_over({2, 3, 4}, {{2, 3, 4}, {}}).shape, (Shape{24}));
  EXPECT_EQ(loops_over({2, 3, 4, 5}, {{2, 3, 4, 5}, {3, 1, 1}}).shape, (Shape{2, 3, 20}));
  EXPECT_EQ(loops_over({2, 3, 4}, {{2, 3, 4}, {3, 4}}).shape, (Shape{2, 12}));
}

// Before operator set 7.
NodeRun old_add(const Tensor& a, const Tensor& b, Attributes attributes) {
  return {"Add", std::move(attributes), {a, b}, 1, 6};
}
const std::pair<const std::string, Attribute> kBroadcast = {"broadcast", int64_t{1}};

TEST(Broadcast, before_set_7_it_takes_an_attribute) {
  EXPECT_EQ(error_of(run_node(old_add(counted({2, 3}), counted({3}), {}))),
            "its operands have the shapes [2,3] and [3]; without the attribute 'broadcast' it "
            "takes equal ones");
  EXPECT_EQ(values_of<int32_t>(run_node(old_add(counted({2, 3}), counted({3}), {kBroadcast}))),
            (std::vector<int32_t>{2, 4, 6, 5, 7, 9}));
  EXPECT_EQ(values_of<int32_t>(run_node(old_add(counted({2}), counted({2}), {}))),
            (std::vector<int32_t>{2, 4}));
}

TEST(Broadcast, before_set_7_an_axis_places_the_second_operand) {
  const Attributes first = {kBroadcast, {"axis", int64_t{0}}};
  EXPECT_EQ(values_of<int32_t>(run_node(old_add(counted({2, 3}), counted({2}), first))),
            (std::vector<int32_t>{2, 3, 4, 6, 7, 8}));
  EXPECT_EQ(values_of<int32_t>(run_node(old_add(counted({2, 3}), counted({2, 1}), first))),
            (std::vector<int32_t>{2, 3, 4, 6, 7, 8}));
  const Attributes middle = {kBroadcast, {"axis", int64_t{1}}};
  EXPECT_EQ(values_of<int32_t>(run_node(old_add(counted({1, 2, 2}), counted({2}), middle))),
            (std::vector<int32_t>{2, 3, 5, 6}));
  // A single element, whatever its rank.
  EXPECT_EQ(values_of<int32_t>(run_node(old_add(counted({2}), counted({1, 1}), {kBroadcast}))),
            (std::vector<int32_t>{2, 3}));
}

TEST(Broadcast, before_set_7_only_the_second_operand_is_broadcast) {
  EXPECT_EQ(error_of(run_node(old_add(counted({3}), counted({2, 3}), {kBroadcast}))),
            "its operands have the shapes [3] and [2,3], which cannot be broadcast to each other");
  EXPECT_EQ(
      error_of(run_node(old_add(counted({1, 3}), counted({2, 1}), {kBroadcast}))),
      "its operands have the shapes [1,3] and [2,1], which cannot be broadcast to each other");
}

TEST(Broadcast, before_set_7_an_axis_may_be_any_number) {
  for (const int64_t axis : {int64_t{2}, int64_t{-3}, INT64_MAX, INT64_MIN}) {
    const Attributes attributes = {kBroadcast, {"axis", axis}};
    EXPECT_EQ(error_of(run_node(old_add(counted({2, 3}), counted({3}), attributes))),
              formatted("its axis {} does not place the shape [3] inside [2,3]", axis));
  }
  const Attributes last = {kBroadcast, {"axis", int64_t{-1}}};
  EXPECT_EQ(values_of<int32_t>(run_node(old_add(counted({1, 3}), counted({3}), last))),
            (std::vector<int32_t>{2, 4, 6}));
}

}  // namespace
}  // namespace casemate::engine
