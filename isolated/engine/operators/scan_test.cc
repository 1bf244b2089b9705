// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "isolated/engine/operators/body_run.h"
#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using FloatList = std::vector<float>;
using AxisList = std::vector<int64_t>;

// Sums of the slices so far: what it carries, and all of them.
Attributes running_sums(const Declared& declared = {}) {
  BodyDraft body;
  const ValueId sum = body.input("sum");
  const ValueId next = body.node("Add", {sum, body.input("x")});
  body.graph.add_output(next);
  body.graph.add_output(next, declared);
  return {{"body", body.done()}, {"body.captures", AxisList()}, {"num_scan_inputs", int64_t{1}}};
}

NodeRun scan_of(Attributes attributes, std::vector<Datum> inputs, int since = 9) {
  return {"Scan", std::move(attributes), std::move(inputs), 2, since};
}

const Tensor kNought = floats({2}, {0, 0});

TEST(Scan, carries_a_state_and_stacks_what_each_slice_makes) {
  const auto made = run_control(scan_of(running_sums(), {kNought, counting({3, 2})}));
  EXPECT_EQ(values_of<float>(made), (FloatList{6, 9}));
  EXPECT_EQ(values_of<float>(made, 1), (FloatList{0, 1, 2, 4, 6, 9}));
  EXPECT_EQ(shape_of(made, 1), "[3,2]");
}

TEST(Scan, reads_and_writes_backwards) {
  Attributes attributes = running_sums();
  attributes.set("scan_input_directions", AxisList{1});
  EXPECT_EQ(values_of<float>(run_control(scan_of(attributes, {kNought, counting({3, 2})})), 1),
            (FloatList{4, 5, 6, 8, 6, 9}));
  attributes.set("scan_output_directions", AxisList{1});
  EXPECT_EQ(values_of<float>(run_control(scan_of(attributes, {kNought, counting({3, 2})})), 1),
            (FloatList{6, 9, 6, 8, 4, 5}));
}

TEST(Scan, goes_along_any_axis) {
  for (const int64_t axis : {1, -1}) {
    Attributes attributes = running_sums();
    attributes.set("scan_input_axes", AxisList{axis});
    EXPECT_EQ(values_of<float>(run_control(scan_of(attributes, {kNought, counting({2, 3})})), 1),
              (FloatList{0, 3, 1, 7, 3, 12}));
    attributes.set("scan_output_axes", AxisList{axis});
    const auto made = run_control(scan_of(attributes, {kNought, counting({2, 3})}));
    EXPECT_EQ(values_of<float>(made, 1), (FloatList{0, 1, 3, 3, 7, 12}));
    EXPECT_EQ(shape_of(made, 1), "[2,3]");
  }
}

TEST(Scan, of_no_slices_makes_what_its_body_declares) {
  const Declared pair = {ElementType::kFloat32, Shape{2}};
  for (const auto& [axis, shape] :
       {std::pair(0, "[0,2]"), std::pair(1, "[2,0]"), std::pair(-1, "[2,0]")}) {
    Attributes attributes = running_sums(pair);
    attributes.set("scan_output_axes", AxisList{axis});
    const auto made = run_control(scan_of(attributes, {floats({2}, {3, 4}), counting({0, 2})}), 0);
    EXPECT_EQ(values_of<float>(made), (FloatList{3, 4}));
    EXPECT_EQ(shape_of(made, 1), shape);
  }
  Attributes beyond = running_sums(pair);
  beyond.set("scan_output_axes", AxisList{2});
  for (const int64_t slices : {0, 3}) {
    EXPECT_EQ(error_of(run_control(scan_of(beyond, {kNought, counting({slices, 2})}))),
              "its scan output axis 2 is out of range");
  }
  Attributes shapeless = running_sums({ElementType::kFloat32, std::nullopt});
  shapeless.set("scan_output_axes", AxisList{1});
  EXPECT_TRUE(error_of(run_control(scan_of(shapeless, {kNought, counting({0, 2})})))
                  .starts_with("without an iteration nothing says"));
}

TEST(Scan, refuses_inputs_of_different_lengths) {
  BodyDraft body;
  const ValueId x = body.input("x");
  body.graph.add_output(body.node("Add", {x, body.input("y")}));
  const NodeRun run = {
      "Scan",
      {{"body", body.done()}, {"body.captures", AxisList()}, {"num_scan_inputs", int64_t{2}}},
      {counting({3, 2}), counting({2, 2})}};
  EXPECT_EQ(error_of(run_control(run)), "its inputs have 3 and 2 slices");
}

TEST(Scan, refuses_what_it_cannot_go_along) {
  for (const int64_t axis : {int64_t{2}, int64_t{-3}, INT64_MAX, INT64_MIN}) {
    Attributes attributes = running_sums();
    attributes.set("scan_input_axes", AxisList{axis});
    EXPECT_EQ(error_of(run_control(scan_of(attributes, {kNought, counting({3, 2})}))),
              "it cannot scan its input 1 along axis " + std::to_string(axis));
  }
  for (const int64_t count : {int64_t{0}, int64_t{3}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    Attributes attributes = running_sums();
    attributes.set("num_scan_inputs", count);
    EXPECT_EQ(error_of(run_control(scan_of(attributes, {kNought, counting({3, 2})}))),
              "it scans " + std::to_string(count) + " of its 2 inputs");
  }
}

TEST(Scan, compares_its_body_with_itself_before_the_first_slice) {
  const auto expect_refused = [](NodeRun run, size_t outputs, const std::string& why) {
    run.output_count = outputs;
    EXPECT_EQ(error_of(run_control(run)), why);
    EXPECT_EQ(refusal_at_load(run), why);
  };
  for (const int since : {8, 9}) {
    const Tensor none = since == 8 ? counting({1, 0, 2}) : counting({0, 2});
    std::vector<Datum> inputs = {since == 8 ? floats({1, 2}, {0, 0}) : kNought, none};
    if (since == 8) inputs.insert(inputs.begin(), Datum());
    const NodeRun run = scan_of(running_sums(), inputs, since);
    expect_refused(run, 3, "its subgraph 'body' makes 2 outputs, the node needs 3");
    expect_refused(run, 1, "its subgraph 'body' makes 2 outputs, the node needs 1");
    inputs.emplace_back(none);
    expect_refused(scan_of(running_sums(), inputs, since), 2,
                   "its subgraph 'body' takes 2 inputs, the node gives it 3");
    Attributes bare = running_sums();
    bare.erase("body");
    expect_refused(scan_of(bare, run.inputs, since), 2, "its subgraph 'body' is missing");
  }
}

TEST(Scan, of_operator_set_8_goes_along_each_item_of_a_batch) {
  const Tensor states = floats({2, 2}, {0, 0, 0, 0});
  Attributes attributes = running_sums({ElementType::kFloat32, Shape{2}});
  const auto made = run_control(scan_of(attributes, {Datum(), states, counting({2, 2, 2})}, 8));
  EXPECT_EQ(values_of<float>(made), (FloatList{2, 4, 10, 12}));
  EXPECT_EQ(values_of<float>(made, 1), (FloatList{0, 1, 2, 4, 4, 5, 10, 12}));
  EXPECT_EQ(shape_of(made, 1), "[2,2,2]");
  const auto none = run_control(scan_of(attributes, {Datum(), states, counting({2, 0, 2})}, 8), 0);
  EXPECT_EQ(values_of<float>(none), (FloatList{0, 0, 0, 0}));
  EXPECT_EQ(shape_of(none, 1), "[2,0,2]");
  attributes.set("directions", AxisList{1});
  const auto back =
      run_control(scan_of(attributes, {list({2, 2}), states, counting({2, 2, 2})}, 8));
  EXPECT_EQ(values_of<float>(back, 1), (FloatList{2, 3, 2, 4, 6, 7, 10, 12}));
}

TEST(Scan, of_operator_set_8_refuses_what_is_no_batch_of_numbers) {
  const Tensor states = floats({2, 2}, {0, 0, 0, 0});
  const auto refusal = [&](const Datum& lengths, const Datum& state, const Datum& x) {
    return error_of(run_control(scan_of(running_sums(), {lengths, state, x}, 8)));
  };
  EXPECT_EQ(refusal(Datum(), states, counting({3, 2, 2})),
            "its input 1, FP32 of shape [2,2], does not fit a batch of numbers of [3,2,2]");
  EXPECT_EQ(refusal(Datum(), texts({2, 1}, {"a", "b"}), counting({2, 2, 2})),
            "its input 1, BYTES of shape [2,1], does not fit a batch of numbers of [2,2,2]");
  EXPECT_EQ(refusal(Datum(), states, counting({0, 2, 2})), "it has no batch of sequences to scan");
  EXPECT_EQ(refusal(list({1, 2}), states, counting({2, 2, 2})),
            "its sequences have different lengths: export a newer Scan");
}

}  // namespace
}  // namespace casemate::engine
