// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

Tensor one(int32_t value) { return Tensor::of<int32_t>({1}, {value}); }

Tensor at(int64_t position) { return Tensor::of<int64_t>({}, {position}); }

const Sequence kThree = {one(1), one(2), one(3)};

// The first elements of its tensors.
std::vector<int32_t> firsts(const Result<std::vector<Datum>>& outputs) {
  std::vector<int32_t> found;
  EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().text);
  if (!outputs || (*outputs)[0].sequence() == nullptr) return {-1};
  for (const Tensor& tensor : *(*outputs)[0].sequence())
    found.push_back(tensor.values<int32_t>()[0]);
  return found;
}

using Ints = std::vector<int32_t>;

TEST(Sequences, are_made_of_tensors_of_one_type) {
  EXPECT_EQ(firsts(run_node({"SequenceEmpty", {}, {}})), Ints{});
  EXPECT_EQ(firsts(run_node({"SequenceConstruct", {}, {one(4), one(5)}})), (Ints{4, 5}));
  EXPECT_EQ(error_of(run_node({"SequenceConstruct", {}, {one(4), list({5})}})),
            "a sequence of INT32 cannot hold INT64");
  EXPECT_EQ(values_of<int64_t>(run_node({"SequenceLength", {}, {kThree}})),
            std::vector<int64_t>{3});
}

TEST(Sequences, are_read_and_changed_at_positions) {
  EXPECT_EQ(values_of<int32_t>(run_node({"SequenceAt", {}, {kThree, at(-1)}})), Ints{3});
  EXPECT_EQ(firsts(run_node({"SequenceErase", {}, {kThree}})), (Ints{1, 2}));
  EXPECT_EQ(firsts(run_node({"SequenceErase", {}, {kThree, at(-3)}})), (Ints{2, 3}));
  EXPECT_EQ(firsts(run_node({"SequenceInsert", {}, {kThree, one(9)}})), (Ints{1, 2, 3, 9}));
  EXPECT_EQ(firsts(run_node({"SequenceInsert", {}, {kThree, one(9), at(-1)}})), (Ints{1, 2, 9, 3}));
  EXPECT_EQ(firsts(run_node({"SequenceInsert", {}, {kThree, one(9), at(3)}})), (Ints{1, 2, 3, 9}));
}

TEST(Sequences, have_nothing_outside) {
  EXPECT_EQ(error_of(run_node({"SequenceAt", {}, {kThree, at(3)}})),
            "position 3 is outside of a sequence of 3");
  EXPECT_EQ(error_of(run_node({"SequenceAt", {}, {kThree, at(INT64_MIN)}})),
            "position -9223372036854775808 is outside of a sequence of 3");
  EXPECT_EQ(error_of(run_node({"SequenceAt", {}, {kThree, list({0, 1})}})),
            "its input 1 has 2 elements, it takes one");
  EXPECT_EQ(error_of(run_node({"SequenceErase", {}, {Sequence{}}})),
            "position -1 is outside of a sequence of 0");
  EXPECT_EQ(error_of(run_node({"SequenceInsert", {}, {kThree, one(1), at(4)}})),
            "position 4 is outside of a sequence of 3");
  EXPECT_EQ(error_of(run_node({"SequenceInsert", {}, {kThree, list({1})}})),
            "a sequence of INT32 cannot hold INT64");
  EXPECT_EQ(error_of(run_node({"SequenceLength", {}, {one(1)}})), "its input 0 is no sequence");
}

std::string shapes_of(const Result<std::vector<Datum>>& outputs) {
  if (!outputs) return outputs.error().text;
  std::string text;
  for (const Tensor& tensor : *(*outputs)[0].sequence()) text += tensor.shape().text();
  return text;
}

TEST(SplitToSequence, has_equal_pieces_or_stated_ones) {
  const Tensor x = counting<int32_t>({2, 3});
  const Attributes last = {{"axis", int64_t{-1}}};
  EXPECT_EQ(shapes_of(run_node({"SplitToSequence", last, {x}})), "[2,1][2,1][2,1]");
  const Attributes bare = {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}};
  EXPECT_EQ(shapes_of(run_node({"SplitToSequence", bare, {x}})), "[2][2][2]");
  EXPECT_EQ(shapes_of(run_node({"SplitToSequence", bare, {x, at(2)}})), "[2,2][2,1]");
  const auto stated = run_node({"SplitToSequence", last, {x, list({1, 2})}});
  EXPECT_EQ(shapes_of(stated), "[2,1][2,2]");
  const Tensor second = (*(*stated)[0].sequence())[1];
  EXPECT_EQ(second, Tensor::of<int32_t>({2, 2}, {1, 2, 4, 5}));
  EXPECT_EQ(shapes_of(run_node({"SplitToSequence", {}, {texts({2}, {"a", "b"})}})), "[1][1]");
}

TEST(SplitToSequence, refuses_pieces_that_do_not_add_up) {
  const Tensor x = counting({3});
  const auto refusal = [&](const Tensor& split) {
    return error_of(run_node({"SplitToSequence", {}, {x, split}}));
  };
  EXPECT_EQ(refusal(list({1, 1})), "pieces of 2 in all do not make an extent of 3");
  EXPECT_EQ(refusal(list({4, -1})), "a piece has extent -1");
  EXPECT_EQ(refusal(at(0)), "a piece has extent 0");
  // More pieces than there is memory for, of nothing at all.
  EXPECT_EQ(error_of(run_node({"SplitToSequence", {}, {counting({1LL << 50, 0})}})),
            "more than a test may have");
}

TEST(ConcatFromSequence, joins_along_an_axis_old_or_new) {
  const Attributes old_axis = {{"axis", int64_t{0}}};
  const Attributes new_axis = {{"axis", int64_t{-1}}, {"new_axis", int64_t{1}}};
  EXPECT_EQ(shape_of(run_node({"ConcatFromSequence", old_axis, {kThree}})), "[3]");
  const Sequence pairs = {Tensor::of<int32_t>({2}, {1, 2}), Tensor::of<int32_t>({2}, {3, 4})};
  const auto y = run_node({"ConcatFromSequence", new_axis, {pairs}});
  EXPECT_EQ(shape_of(y), "[2,2]");
  EXPECT_EQ(values_of<int32_t>(y), (Ints{1, 3, 2, 4}));
}

TEST(ConcatFromSequence, refuses_what_does_not_fit) {
  const Attributes first = {{"axis", int64_t{0}}};
  EXPECT_EQ(error_of(run_node({"ConcatFromSequence", first, {Sequence{}}})),
            "an empty sequence cannot be joined");
  const Sequence uneven = {counting({1, 2}), counting({1, 3})};
  EXPECT_EQ(error_of(run_node({"ConcatFromSequence", first, {uneven}})),
            "shapes [1,2] and [1,3] cannot be joined along axis 0");
  const Sequence mixed = {one(1), list({1})};
  EXPECT_EQ(error_of(run_node({"ConcatFromSequence", first, {mixed}})),
            "tensors of INT32 and INT64 are mixed");
  const Sequence deep = {counting({1, 1, 1, 1, 1, 1, 1, 1})};
  EXPECT_EQ(error_of(run_node(
                {"ConcatFromSequence", {{"axis", int64_t{0}}, {"new_axis", int64_t{1}}}, {deep}})),
            "a tensor of rank 9 is over the limit of 8");
}

TEST(Optionals, hold_something_or_nothing) {
  const auto nothing = run_node({"Optional", {}, {}});
  EXPECT_TRUE(nothing && (*nothing)[0].empty());
  EXPECT_EQ(values_of<int32_t>(run_node({"Optional", {}, {one(7)}})), Ints{7});
  EXPECT_EQ(firsts(run_node({"OptionalGetElement", {}, {kThree}})), (Ints{1, 2, 3}));
  EXPECT_EQ(values_of<bool>(run_node({"OptionalHasElement", {}, {kThree}})),
            std::vector<bool>{true});
  EXPECT_EQ(values_of<bool>(run_node({"OptionalHasElement", {}, {Datum()}})),
            std::vector<bool>{false});
  EXPECT_EQ(values_of<bool>(run_node({"OptionalHasElement", {}, {}})), std::vector<bool>{false});
  EXPECT_EQ(error_of(run_node({"OptionalGetElement", {}, {Datum()}})), "its optional is empty");
}

}  // namespace
}  // namespace casemate::engine
