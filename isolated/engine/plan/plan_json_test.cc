// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "isolated/engine/plan/plan_data.h"

namespace casemate::engine {
namespace {

using Json = nlohmann::ordered_json;

PlanData example() {
  const Place in = {.kind = Place::Kind::kInput, .index = 0, .bytes = 16};
  const Place middle = {.kind = Place::Kind::kArena, .offset = 64, .bytes = 32};
  const Place out = {.kind = Place::Kind::kOutput, .index = 1, .bytes = 8};
  PlanData plan{.arena_bytes = 192, .inputs = {{ElementType::kUint8, Shape{4, 4}, 16}}};
  plan.outputs = {{ElementType::kFloat32, Shape{1, 1}, 4}, {ElementType::kInt64, Shape(), 8}};
  plan.steps.push_back({.name = "conv \"1\"\n",
                        .op = "Conv",
                        .implementation = "winograd",
                        .layouts = "row-major->channels-last",
                        .slow = true,
                        .inputs = {in, {}},
                        .outputs = {middle},
                        .scratch = {.kind = Place::Kind::kArena, .offset = 128, .bytes = 64},
                        .flops = UINT64_MAX,
                        .bytes = 7});
  plan.steps.push_back({.name = "output 1", .inputs = {middle}, .outputs = {out}});
  return plan;
}

TEST(PlanJson, is_read_back_equal) {
  const auto read = plan_from_json(example().json());
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, example());
}

// The example with one change, and what is said of it.
std::string refusal(const std::function<void(Json&)>& change) {
  Json json = Json::parse(example().json());
  change(json);
  const auto read = plan_from_json(json.dump());
  return read ? "accepted" : read.error().text;
}

TEST(PlanJson, of_places_that_lie_outside_is_refused_with_the_step) {
  const std::string outside = "lies outside of what the plan has";
  EXPECT_EQ(refusal([](Json& j) { j["steps"][0]["outputs"][0]["offset"] = 161; }),
            "this is no plan: step 0: output 0 " + outside);
  EXPECT_EQ(refusal([](Json& j) { j["steps"][0]["outputs"][0]["bytes"] = UINT64_MAX; }),
            "this is no plan: step 0: output 0 " + outside);
  EXPECT_EQ(refusal([](Json& j) { j["steps"][0]["inputs"][0]["index"] = 1; }),
            "this is no plan: step 0: input 0 " + outside);
  EXPECT_EQ(refusal([](Json& j) { j["steps"][1]["outputs"][0]["index"] = 2; }),
            "this is no plan: step 1: output 0 " + outside);
  EXPECT_EQ(refusal([](Json& j) { j["arena_bytes"] = 191; }),
            "this is no plan: step 0: scratch " + outside);
}

TEST(PlanJson, of_a_step_that_writes_where_it_may_not_is_refused) {
  EXPECT_EQ(refusal([](Json& j) { j["steps"][0]["outputs"][0] = j["steps"][0]["inputs"][0]; }),
            "this is no plan: step 0 writes to an input");
  EXPECT_EQ(refusal([](Json& j) { j["steps"][0]["scratch"] = j["steps"][1]["outputs"][0]; }),
            "this is no plan: step 0 has its scratch memory outside of the arena");
}

TEST(PlanJson, with_a_member_that_is_missing_or_of_another_kind_is_refused) {
  EXPECT_TRUE(refusal([](Json& j) { j["format"] = 2; }).contains("of another format"));
  EXPECT_TRUE(refusal([](Json& j) { j["arena_bytes"] = "4"; }).contains("no number 'arena_"));
  EXPECT_TRUE(refusal([](Json& j) { j["arena_bytes"] = -1; }).contains("no number 'arena_bytes'"));
  EXPECT_TRUE(refusal([](Json& j) { j["inputs"][0]["bytes"] = 1.5; }).contains("input 0 has no"));
  EXPECT_TRUE(refusal([](Json& j) { j["outputs"][0]["type"] = "FP33"; }).contains("a type that"));
  EXPECT_TRUE(refusal([](Json& j) { j["outputs"][0]["shape"] = {1, -1}; }).contains("cannot be"));
  EXPECT_TRUE(
      refusal([](Json& j) { j["outputs"][0]["shape"] = std::vector<int>(9, 1); }).contains("be"));
  EXPECT_TRUE(refusal([](Json& j) { j["steps"] = Json::object(); }).contains("no list 'steps'"));
  EXPECT_TRUE(refusal([](Json& j) { j["steps"][1] = 7; }).contains("step 1 is no object"));
  EXPECT_TRUE(refusal([](Json& j) { j["steps"][1].erase("kernel"); }).contains("no text 'kernel'"));
  EXPECT_TRUE(refusal([](Json& j) { j["steps"][0]["slow"] = 1; }).contains("neither true nor"));
  EXPECT_TRUE(refusal([](Json& j) { j["steps"][0]["scratch"]["in"] = "disk"; }).contains("'disk'"));
}

TEST(PlanJson, that_is_cut_off_anywhere_is_refused) {
  const std::string whole = example().json();
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(plan_from_json(whole.substr(0, length))) << length;
}

}  // namespace
}  // namespace casemate::engine
