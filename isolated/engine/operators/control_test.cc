// SPDX-License-Identifier: Apache-2.0
// If, Loop and SequenceMap. That a subgraph runs itself cannot be written down: each is an
// attribute of its node, made before the node is, so that subgraphs are a tree.
#include <gtest/gtest.h>

#include "isolated/engine/operators/body_run.h"
#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using Int64s = std::vector<int64_t>;

Tensor truth_of(bool value) { return Tensor::of<bool>({}, {value}); }
Tensor integer_of(int64_t value) { return Tensor::of<int64_t>({}, {value}); }

// x + y where its condition holds, -x where it does not.
NodeRun either(const Datum& condition) {
  BodyDraft then_branch;
  const ValueId x = then_branch.input("x");
  then_branch.graph.add_output(then_branch.node("Add", {x, then_branch.input("y")}));
  BodyDraft else_branch;
  else_branch.graph.add_output(else_branch.node("Neg", {else_branch.input("x")}));
  return {"If",
          {{"then_branch", then_branch.done()},
           {"then_branch.captures", Int64s{1, 2}},
           {"else_branch", else_branch.done()},
           {"else_branch.captures", Int64s{3}}},
          {condition, list({1, 2}), list({10, 20}), list({1, 2})}};
}

TEST(If, runs_the_branch_that_its_condition_says_on_what_it_captures) {
  EXPECT_EQ(values_of<int64_t>(run_control(either(truth_of(true)))), (Int64s{11, 22}));
  EXPECT_EQ(values_of<int64_t>(run_control(either(truth_of(false)))), (Int64s{-1, -2}));
  EXPECT_EQ(values_of<int64_t>(run_control(either(Tensor::of<bool>({1}, {true})))),
            (Int64s{11, 22}));
}

TEST(If, needs_one_truth) {
  for (const Datum& odd :
       {Datum(floats({}, {1})), Datum(Tensor::of<bool>({2}, {true, true})),
        Datum(Sequence{truth_of(true)}), Datum(*Tensor::zeros(ElementType::kBool, {0}))})
    EXPECT_EQ(error_of(run_control(either(odd))), "its condition is not one BOOL");
}

TEST(If, compares_its_branch_with_itself_before_it_runs) {
  NodeRun greedy = either(truth_of(true));
  greedy.output_count = 2;
  EXPECT_EQ(error_of(run_control(greedy, 0)),
            "its subgraph 'then_branch' makes 1 outputs, the node needs 2");
  NodeRun mean = either(truth_of(true));
  mean.attributes.set("then_branch.captures", Int64s{1});
  EXPECT_EQ(error_of(run_control(mean, 0)),
            "its subgraph 'then_branch' takes 1 inputs, the node gives it 0");
  NodeRun bare = either(truth_of(false));
  bare.attributes.erase("else_branch");
  EXPECT_EQ(error_of(run_control(bare)), "its subgraph 'else_branch' is missing");
}

// sum += i, as long as sum < 5 where it is to end; and the sums, one behind the other.
BodyDraft adding(bool to_an_end, const Declared& declared = {}) {
  BodyDraft body;
  const ValueId i = body.input("i", ElementType::kInt64);
  const ValueId go = body.input("go", ElementType::kBool);
  const ValueId sum = body.node("Add", {body.input("sum"), i});
  body.graph.add_output(to_an_end ? body.node("Less", {sum, body.constant(integer_of(5))}) : go);
  body.graph.add_output(sum);
  body.graph.add_output(sum, declared);
  return body;
}

NodeRun loop_of(const Subgraph& body, std::vector<Datum> inputs, size_t outputs = 2) {
  return {.op = "Loop",
          .attributes = {{"body", body}, {"body.captures", Int64s()}},
          .inputs = std::move(inputs),
          .output_count = outputs};
}

TEST(Loop, carries_values_and_stacks_what_each_iteration_makes) {
  const auto made =
      run_control(loop_of(adding(false).done(), {integer_of(4), truth_of(true), list({10, 20})}));
  EXPECT_EQ(values_of<int64_t>(made), (Int64s{16, 26}));
  EXPECT_EQ(values_of<int64_t>(made, 1), (Int64s{10, 20, 11, 21, 13, 23, 16, 26}));
  EXPECT_EQ(shape_of(made, 1), "[4,2]");
}

TEST(Loop, ends_with_its_count_or_with_its_condition) {
  const auto sums = [](bool to_an_end, const Datum& count, const Datum& condition) {
    return values_of<int64_t>(
        run_control(loop_of(adding(to_an_end).done(), {count, condition, integer_of(0)})), 1);
  };
  EXPECT_EQ(sums(true, Datum(), Datum()), (Int64s{0, 1, 3, 6})) << "6 is made, and ends it";
  EXPECT_EQ(sums(true, Datum(), truth_of(true)), (Int64s{0, 1, 3, 6}));
  EXPECT_EQ(sums(true, integer_of(2), truth_of(true)), (Int64s{0, 1}));
  EXPECT_EQ(sums(true, integer_of(9), truth_of(true)), (Int64s{0, 1, 3, 6}));
  EXPECT_EQ(sums(false, integer_of(5), Datum()), (Int64s{0, 1, 3, 6, 10}));
}

TEST(Loop, without_an_iteration_makes_what_its_body_declares) {
  const Declared three = {ElementType::kInt64, Shape{3}};
  const auto inputs = [](int64_t count, bool condition) {
    return std::vector<Datum>{integer_of(count), truth_of(condition), list({7, 8, 9})};
  };
  for (const auto& given : {inputs(0, true), inputs(-1, true), inputs(INT64_MIN, true),
                            inputs(5, false), inputs(INT64_MAX, false)}) {
    const auto made = run_control(loop_of(adding(false, three).done(), given), 0);
    EXPECT_EQ(values_of<int64_t>(made), (Int64s{7, 8, 9}));
    EXPECT_EQ(values_of<int64_t>(made, 1), Int64s());
    EXPECT_EQ(shape_of(made, 1), "[0,3]");
  }
  const auto shape_for = [&](const Declared& declared) {
    return shape_of(run_control(loop_of(adding(false, declared).done(), inputs(0, true))), 1);
  };
  EXPECT_EQ(shape_for({ElementType::kFloat32, Shape{-1, 3}}), "[0,0,3]");
  EXPECT_EQ(shape_for({ElementType::kFloat32, Shape{}}), "[0]");
  EXPECT_EQ(shape_for({ElementType::kFloat32, std::nullopt}), "[0]");
  EXPECT_EQ(shape_for({ElementType::kFloat32, Shape{1, 1, 1, 1, 1, 1, 1, 1}}),
            "its scan outputs have too high a rank");
  const std::string untold =
      "without an iteration nothing says which numbers, of which shape, "
      "output 2 of its body holds: export the model with types and shapes "
      "in its subgraphs";
  EXPECT_EQ(shape_for({}), untold);
  EXPECT_EQ(shape_for({ElementType::kString, Shape{3}}),
            "output 2 of its body holds texts, and what it scans are numbers: export the model "
            "with their codes or indices instead");
}

TEST(Loop, without_an_iteration_takes_the_type_of_what_passes_through) {
  BodyDraft body;
  const ValueId i = body.input("i", ElementType::kInt64);
  body.graph.add_output(body.input("go", ElementType::kBool));
  body.graph.add_output(i);
  EXPECT_EQ(values_of<int64_t>(run_control(loop_of(body.done(), {integer_of(0), Datum()}, 1))),
            Int64s());
}

TEST(Loop, compares_its_body_with_itself_before_it_iterates) {
  const std::vector<Datum> never = {integer_of(0), truth_of(false), integer_of(0)};
  const auto expect_refused = [](const NodeRun& run, const std::string& why) {
    EXPECT_EQ(error_of(run_control(run)), why);
    EXPECT_EQ(refusal_at_load(run), why);
  };
  expect_refused(loop_of(adding(false).done(), never, 3),
                 "its subgraph 'body' makes 3 outputs, the node needs 4");
  expect_refused(loop_of(adding(false).done(), never, 1),
                 "its subgraph 'body' makes 3 outputs, the node needs 2");
  expect_refused(
      loop_of(adding(false).done(), {integer_of(0), truth_of(false), integer_of(0), integer_of(0)}),
      "its subgraph 'body' takes 3 inputs, the node gives it 4");
  expect_refused(loop_of(adding(false).done(), never, 0),
                 "it has fewer outputs than values that it carries");
  expect_refused(loop_of(BodyDraft().done(), {integer_of(0), truth_of(false)}, 1),
                 "its subgraph 'body' takes 0 inputs, the node gives it 2");
  expect_refused({.op = "Loop", .inputs = never, .output_count = 2},
                 "its subgraph 'body' is missing");
}

TEST(Loop, needs_one_truth_before_and_behind_each_iteration) {
  EXPECT_EQ(error_of(run_control(
                loop_of(adding(false).done(), {integer_of(1), integer_of(1), integer_of(0)}))),
            "its condition is not one BOOL");
  BodyDraft body;
  const ValueId i = body.input("i", ElementType::kInt64);
  body.input("go", ElementType::kBool);
  body.graph.add_output(i);
  body.graph.add_output(i);
  EXPECT_EQ(error_of(run_control(loop_of(body.done(), {integer_of(1), truth_of(true)}, 1))),
            "its condition is not one BOOL");
}

TEST(Loop, runs_no_longer_than_its_host_lets_it) {
  const NodeRun longest =
      loop_of(adding(false).done(), {integer_of(INT64_MAX), truth_of(true), integer_of(0)});
  EXPECT_EQ(error_of(run_control(longest, 100)), "more runs than a test may have");
  const NodeRun endless = loop_of(adding(false).done(), {Datum(), Datum(), integer_of(0)});
  EXPECT_EQ(error_of(run_control(endless, 100)), "more runs than a test may have");
}

TEST(Loop, in_a_loop_captures_what_the_outer_one_carries) {
  // The inner one adds x to nothing, twice; the outer one makes that x.
  BodyDraft inner;
  inner.input("k", ElementType::kInt64);
  const ValueId on = inner.input("on", ElementType::kBool);
  const ValueId sum = inner.input("sum");
  const ValueId captured = inner.input("x");
  inner.graph.add_output(on);
  inner.graph.add_output(inner.node("Add", {sum, captured}));
  BodyDraft outer;
  outer.input("i", ElementType::kInt64);
  const ValueId go = outer.input("go", ElementType::kBool);
  const ValueId x = outer.input("x");
  const ValueId twice = outer.constant(integer_of(2));
  const ValueId nothing = outer.constant(integer_of(0));
  outer.graph.add_output(go);
  outer.graph.add_output(outer.node("Loop", {twice, ValueId{}, nothing, x},
                                    {{"body", inner.done()}, {"body.captures", Int64s{3}}}));
  EXPECT_EQ(values_of<int64_t>(
                run_control(loop_of(outer.done(), {integer_of(3), Datum(), integer_of(1)}, 1))),
            Int64s{8});
}

TEST(Loop, may_carry_what_grows_and_not_stack_it) {
  const auto doubling = [](bool stacked) {
    BodyDraft body;
    body.input("i", ElementType::kInt64);
    body.graph.add_output(body.input("go", ElementType::kBool));
    const ValueId x = body.input("x");
    const ValueId both = body.node("Concat", {x, x}, {{"axis", int64_t{0}}});
    body.graph.add_output(both);
    if (stacked) body.graph.add_output(both);
    return loop_of(body.done(), {integer_of(3), Datum(), list({5})}, stacked ? 2 : 1);
  };
  EXPECT_EQ(values_of<int64_t>(run_control(doubling(false))), Int64s(8, 5));
  EXPECT_EQ(error_of(run_control(doubling(true))),
            "its scan outputs have another shape in each iteration");
}

// Each element of a sequence with y added.
NodeRun map_adding(std::vector<Datum> inputs) {
  BodyDraft body;
  const ValueId x = body.input("x");
  body.graph.add_output(body.node("Add", {x, body.input("y")}));
  return {.op = "SequenceMap",
          .attributes = {{"body", body.done()}, {"body.captures", Int64s()}},
          .inputs = std::move(inputs)};
}

TEST(SequenceMap, runs_its_body_on_each_element) {
  const Sequence two = {list({1}), list({2, 3})};
  const auto made = run_control(map_adding({two, list({10})}));
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ((*made)[0], Datum(Sequence{list({11}), list({12, 13})}));
  const auto paired = run_control(map_adding({two, Sequence{list({5}), list({7})}}));
  ASSERT_TRUE(paired) << paired.error().text;
  EXPECT_EQ((*paired)[0], Datum(Sequence{list({6}), list({9, 10})}));
  const auto none = run_control(map_adding({Sequence{}, list({10})}));
  ASSERT_TRUE(none) << none.error().text;
  EXPECT_EQ((*none)[0], Datum(Sequence{}));
}

TEST(SequenceMap, refuses_what_does_not_fit) {
  EXPECT_EQ(
      error_of(run_control(map_adding({Sequence{list({1}), list({2})}, Sequence{list({1})}}))),
      "its input 1 has 1 elements, another has more");
  EXPECT_EQ(error_of(run_control(map_adding({list({1}), list({2})}))),
            "its input 0 is no sequence");
  NodeRun greedy = map_adding({Sequence{}, list({10})});
  greedy.output_count = 2;
  EXPECT_EQ(error_of(run_control(greedy)), "its subgraph 'body' makes 1 outputs, the node needs 2");
  EXPECT_EQ(refusal_at_load(greedy), "its subgraph 'body' makes 1 outputs, the node needs 2");
  EXPECT_EQ(error_of(run_control(map_adding({Sequence{}}))),
            "its subgraph 'body' takes 2 inputs, the node gives it 1");
}

}  // namespace
}  // namespace casemate::engine
