// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using Texts = std::vector<std::string>;
using Longs = std::vector<int64_t>;

Result<std::vector<Datum>> sliced(const Tensor& x, int64_t start, int64_t end, int64_t step) {
  return run_node({"Slice", {}, {x, list({start}), list({end}), list({-1}), list({step})}});
}

TEST(Slice, goes_from_start_to_end_by_steps) {
  const Tensor x = counting<int32_t>({10});
  using Ints = std::vector<int32_t>;
  EXPECT_EQ(values_of<int32_t>(sliced(x, 2, 8, 3)), (Ints{2, 5}));
  EXPECT_EQ(values_of<int32_t>(sliced(x, -3, INT64_MAX, 1)), (Ints{7, 8, 9}));
  EXPECT_EQ(values_of<int32_t>(sliced(x, -1, INT64_MIN, -4)), (Ints{9, 5, 1}));
  EXPECT_EQ(values_of<int32_t>(sliced(x, 20, 2, -2)), (Ints{9, 7, 5, 3}));
  EXPECT_EQ(values_of<int32_t>(sliced(x, 8, 2, 1)), Ints{});
  EXPECT_EQ(values_of<int32_t>(sliced(x, 4, INT64_MIN, INT64_MIN)), Ints{4});
  EXPECT_EQ(values_of<int32_t>(sliced(x, 4, INT64_MAX, INT64_MAX)), Ints{4});
  EXPECT_EQ(values_of<int32_t>(sliced(counting<int32_t>({0}), 4, -1, -1)), Ints{});
}

TEST(Slice, cuts_several_axes) {
  const Tensor x = counting<uint8_t>({3, 4});
  const auto y =
      run_node({"Slice", {}, {x, list({1, 3}), list({3, 0}), list({0, 1}), list({1, -2})}});
  EXPECT_EQ(shape_of(y), "[2,2]");
  EXPECT_EQ(values_of<uint8_t>(y), (std::vector<uint8_t>{7, 5, 11, 9}));
  // Without axes the first ones are meant.
  EXPECT_EQ(shape_of(run_node({"Slice", {}, {x, list({1}), list({2})}})), "[1,4]");
}

TEST(Slice, states_everything_in_attributes_before_version_10) {
  const Attributes cuts = {{"starts", Longs{1}}, {"ends", Longs{-1}}, {"axes", Longs{1}}};
  EXPECT_EQ(
      values_of<std::string>(run_node({"Slice", cuts, {texts({1, 3}, {"a", "b", "c"})}, 1, 1})),
      Texts{"b"});
}

TEST(Slice, that_has_no_meaning_is_refused) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(error_of(sliced(x, 0, 1, 0)), "it has a step of 0");
  EXPECT_EQ(error_of(run_node({"Slice", {}, {x, list({0, 0}), list({1})}})),
            "it has 2 starts, 1 ends, 2 axes and 2 steps, which are to be as many");
  EXPECT_EQ(error_of(run_node({"Slice", {}, {x, list({0, 0}), list({1, 1}), list({0, -2})}})),
            "axis 0 is stated twice");
  EXPECT_EQ(error_of(run_node({"Slice", {}, {x, list({0}), list({1}), list({2})}})),
            "axis 2 is none of a tensor of rank 2");
  EXPECT_EQ(error_of(run_node({"Slice", {}, {x, floats({1}, {0}), list({1})}})),
            "its input 1 is a tensor of FP32, it takes one of INT64");
}

TEST(Concat, joins_along_an_axis) {
  const Tensor a = Tensor::of<int8_t>({2, 1}, {1, 2});
  const Tensor b = Tensor::of<int8_t>({2, 2}, {3, 4, 5, 6});
  const auto y = run_node({"Concat", {{"axis", int64_t{-1}}}, {a, b, a}});
  EXPECT_EQ(shape_of(y), "[2,4]");
  EXPECT_EQ(values_of<int8_t>(y), (std::vector<int8_t>{1, 3, 4, 1, 2, 5, 6, 2}));
  // The first version's default is axis 1.
  EXPECT_EQ(shape_of(run_node({"Concat", {}, {a, b}, 1, 1})), "[2,3]");
  EXPECT_EQ(
      values_of<std::string>(run_node({"Concat",
                                       {{"axis", int64_t{0}}},
                                       {texts({1}, {"a"}), texts({0}, {}), texts({1}, {"b"})}})),
      (Texts{"a", "b"}));
}

TEST(Concat, of_what_does_not_fit_is_refused) {
  const Attributes first = {{"axis", int64_t{0}}};
  EXPECT_EQ(error_of(run_node({"Concat", first, {counting({1, 2}), counting({1, 3})}})),
            "shapes [1,2] and [1,3] differ not only along axis 0");
  EXPECT_EQ(error_of(run_node({"Concat", first, {counting({1, 2}), counting({2})}})),
            "shapes [1,2] and [2] differ not only along axis 0");
  EXPECT_EQ(error_of(run_node({"Concat", first, {counting({}), counting({})}})),
            "axis 0 is none of a tensor of rank 0");
  EXPECT_EQ(error_of(run_node({"Concat", first, {counting({2}), list({1, 2})}})),
            "its input 1 is a tensor of INT64, it takes one of FP32");
  const Tensor wide = counting({0, 1LL << 61});
  EXPECT_EQ(error_of(run_node({"Concat", {{"axis", int64_t{1}}}, {wide, wide, wide, wide}})),
            "the sum of 6917529027641081856 and 2305843009213693952 overflows");
}

TEST(Split, has_equal_pieces_or_stated_ones) {
  const Tensor x = counting({2, 5});
  const Attributes last = {{"axis", int64_t{1}}};
  const auto stated = run_node({"Split", last, {x, list({2, 0, 3})}, 3});
  EXPECT_EQ(values_of<float>(stated, 0), (std::vector<float>{0, 1, 5, 6}));
  EXPECT_EQ(shape_of(stated, 1), "[2,0]");
  EXPECT_EQ(values_of<float>(stated, 2), (std::vector<float>{2, 3, 4, 7, 8, 9}));
  const Attributes uneven = {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}};
  const auto equal = run_node({"Split", uneven, {x}, 2});
  EXPECT_EQ(shape_of(equal, 0), "[2,3]");
  EXPECT_EQ(values_of<float>(equal, 1), (std::vector<float>{3, 4, 8, 9}));
}

TEST(Split, states_pieces_as_each_version_has_it) {
  const Tensor x = texts({3}, {"a", "b", "c"});
  const auto attribute = run_node({"Split", {{"split", Longs{1, 2}}}, {x}, 2, 11});
  EXPECT_EQ(values_of<std::string>(attribute, 1), (Texts{"b", "c"}));
  const Tensor y = counting({3});
  EXPECT_EQ(shape_of(run_node({"Split", {}, {y, floats({2}, {2, 1})}, 2, 1})), "[2]");
  EXPECT_EQ(shape_of(run_node({"Split", {}, {y}, 3, 2})), "[1]");
  EXPECT_EQ(error_of(run_node({"Split", {}, {y}, 2, 13})),
            "an extent of 3 cannot be split into 2 equal pieces");
}

TEST(Split, that_does_not_add_up_is_refused) {
  const Tensor x = counting({4});
  EXPECT_EQ(error_of(run_node({"Split", {}, {x, list({5, -1})}, 2})),
            "its 2 pieces of 4 in all do not make 2 outputs from an extent of 4");
  EXPECT_EQ(error_of(run_node({"Split", {}, {x, list({4})}, 2})),
            "its 1 pieces of 4 in all do not make 2 outputs from an extent of 4");
  EXPECT_EQ(error_of(run_node({"Split", {}, {x, list({INT64_MAX, INT64_MAX})}, 2})),
            "the sum of 9223372036854775807 and 9223372036854775807 overflows");
  EXPECT_EQ(error_of(run_node({"Split", {{"num_outputs", int64_t{3}}}, {x}, 2})),
            "it has 2 outputs, not 3");
  EXPECT_EQ(error_of(run_node({"Split", {}, {counting({5})}, 4})),
            "an extent of 5 cannot be split into 4 equal pieces");
}

TEST(Tile, repeats_a_tensor_along_its_axes) {
  const Tensor x = Tensor::of<int64_t>({1, 2}, {1, 2});
  const auto y = run_node({"Tile", {}, {x, list({2, 3})}});
  EXPECT_EQ(shape_of(y), "[2,6]");
  EXPECT_EQ(values_of<int64_t>(y), (Longs{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2}));
  EXPECT_EQ(shape_of(run_node({"Tile", {}, {x, list({0, 3})}})), "[0,6]");
  EXPECT_EQ(values_of<int64_t>(run_node({"Tile", {}, {Tensor::of<int64_t>({}, {7}), list({})}})),
            Longs{7});
  EXPECT_EQ(values_of<std::string>(run_node({"Tile", {}, {texts({2}, {"a", "b"}), list({2})}})),
            (Texts{"a", "b", "a", "b"}));
  EXPECT_EQ(values_of<float>(
                run_node({"Tile", {}, {counting({2, 2}), floats({}, {2}), floats({}, {1})}, 1, 1})),
            (std::vector<float>{0, 1, 0, 1, 2, 3, 2, 3}));
}

TEST(Tile, of_eight_axes_fills_all) {
  const Tensor x = counting({1, 1, 2, 1, 1, 1, 1, 2});
  const auto y = run_node({"Tile", {}, {x, list({2, 1, 3, 1, 1, 2, 1, 5})}});
  const auto values = values_of<float>(y);
  ASSERT_EQ(values.size(), 240U);
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i], static_cast<float>(i / 20 % 2 * 2 + i % 2)) << i;
}

TEST(Tile, that_is_too_large_or_has_no_meaning_is_refused) {
  const Tensor x = counting({2, 2});
  EXPECT_EQ(error_of(run_node({"Tile", {}, {x, list({1 << 30, 1})}})), "more than a test may have");
  EXPECT_EQ(error_of(run_node({"Tile", {}, {x, list({INT64_MAX, 1})}})),
            "the product of 2 and 9223372036854775807 overflows");
  EXPECT_EQ(error_of(run_node({"Tile", {}, {x, list({1, -1})}})), "it repeats axis 1 -1 times");
  EXPECT_EQ(error_of(run_node({"Tile", {}, {x, list({1})}})),
            "it has 1 repeats for an input of rank 2");
  EXPECT_EQ(error_of(run_node({"Tile", {}, {x, floats({}, {NAN}), floats({}, {0})}, 1, 1})),
            "nan stands where an integer is needed");
}

TEST(Trilu, keeps_a_triangle) {
  const Tensor x = counting<int32_t>({2, 3});
  const auto part = [&](int64_t upper, int64_t diagonal) {
    return values_of<int32_t>(
        run_node({"Trilu", {{"upper", upper}}, {x, Tensor::of<int64_t>({}, {diagonal})}}));
  };
  using Ints = std::vector<int32_t>;
  EXPECT_EQ(values_of<int32_t>(run_node({"Trilu", {}, {x}})), (Ints{0, 1, 2, 0, 4, 5}));
  EXPECT_EQ(part(1, 1), (Ints{0, 1, 2, 0, 0, 5}));
  EXPECT_EQ(part(0, 0), (Ints{0, 0, 0, 3, 4, 0}));
  EXPECT_EQ(part(0, -1), (Ints{0, 0, 0, 3, 0, 0}));
  EXPECT_EQ(part(0, INT64_MAX), (Ints{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(part(1, INT64_MAX), (Ints{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(part(0, INT64_MIN), (Ints{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(part(1, INT64_MIN), (Ints{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(values_of<std::string>(run_node({"Trilu", {}, {texts({2, 2}, {"a", "b", "c", "d"})}})),
            (Texts{"a", "b", "", "d"}));
  EXPECT_EQ(shape_of(run_node({"Trilu", {}, {counting({3, 0})}})), "[3,0]");
  EXPECT_EQ(error_of(run_node({"Trilu", {}, {counting({3})}})), "shape [3] has no matrices in it");
}

TEST(ReverseSequence, reverses_as_many_as_it_is_told) {
  const Tensor x = counting<uint16_t>({3, 2});
  const auto y = run_node({"ReverseSequence", {}, {x, list({3, 2})}});
  EXPECT_EQ(values_of<uint16_t>(y), (std::vector<uint16_t>{4, 3, 2, 1, 0, 5}));
  const Attributes batch_first = {{"batch_axis", int64_t{0}}, {"time_axis", int64_t{1}}};
  const auto z = run_node({"ReverseSequence", batch_first, {x, list({2, 1, 0})}});
  EXPECT_EQ(values_of<uint16_t>(z), (std::vector<uint16_t>{1, 0, 2, 3, 4, 5}));
}

TEST(ReverseSequence, refuses_lengths_and_axes_that_are_none) {
  const Tensor x = counting({3, 2});
  EXPECT_EQ(error_of(run_node({"ReverseSequence", {}, {x, list({4, 2})}})),
            "a length of 4 is outside of the extent 3");
  EXPECT_EQ(error_of(run_node({"ReverseSequence", {}, {x, list({-1, 2})}})),
            "a length of -1 is outside of the extent 3");
  EXPECT_EQ(error_of(run_node({"ReverseSequence", {}, {x, list({1})}})),
            "its lengths have shape [1], not [2]");
  const Attributes odd = {{"batch_axis", INT64_MAX}, {"time_axis", INT64_MIN}};
  EXPECT_EQ(error_of(run_node({"ReverseSequence", odd, {x, list({1, 1})}})),
            "batch axis 9223372036854775807 and time axis -9223372036854775808 are not the first "
            "two of shape [3,2]");
}

TEST(Blocks, channels_become_places_and_back) {
  const Tensor x = counting({1, 8, 1, 1});
  const Attributes by_depth = {{"blocksize", int64_t{2}}};
  const auto y = run_node({"DepthToSpace", by_depth, {x}});
  EXPECT_EQ(shape_of(y), "[1,2,2,2]");
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{0, 2, 4, 6, 1, 3, 5, 7}));
  const Attributes by_column = {{"blocksize", int64_t{2}}, {"mode", "CRD"}};
  EXPECT_EQ(values_of<float>(run_node({"DepthToSpace", by_column, {x}})),
            (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(values_of<float>(run_node({"SpaceToDepth", by_depth, {(*y)[0]}})),
            values_of<float>(run_node({"Reshape", {}, {x, list({8})}})));
}

TEST(Blocks, of_sizes_that_do_not_divide_are_refused) {
  const auto refusal = [](const char* op, int64_t size, const Shape& shape) {
    return error_of(run_node({op, {{"blocksize", size}}, {counting(shape)}}));
  };
  EXPECT_EQ(refusal("DepthToSpace", 2, {1, 6, 1, 1}), "6 channels do not make blocks of 2x2");
  EXPECT_EQ(refusal("DepthToSpace", 0, {1, 4, 1, 1}), "a block size of 0 has no meaning");
  EXPECT_EQ(refusal("DepthToSpace", INT64_MIN, {1, 4, 1, 1}),
            "a block size of -9223372036854775808 has no meaning");
  EXPECT_EQ(refusal("SpaceToDepth", 2, {1, 1, 3, 2}), "3x2 does not make blocks of 2x2");
  EXPECT_EQ(refusal("SpaceToDepth", 2, {4}), "its input has shape [4], it takes one of rank 4");
  // An empty input has room for blocks of any size.
  EXPECT_EQ(refusal("DepthToSpace", INT32_MAX, {1, 0, 1LL << 31, 1LL << 31}),
            "shape [1,0,4611686016279904256,4611686016279904256] has more than 2^62 elements");
  EXPECT_EQ(error_of(run_node({"DepthToSpace",
                               {{"blocksize", int64_t{1}}, {"mode", "XYZ"}},
                               {counting({1, 1, 1, 1})}})),
            "mode 'XYZ' is neither DCR nor CRD");
}

}  // namespace
}  // namespace casemate::engine
