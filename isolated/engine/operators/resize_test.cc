// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using Floats32 = std::vector<float>;

Attributes modes(const char* mode, const char* coordinates) {
  return {{"mode", mode}, {"coordinate_transformation_mode", coordinates}};
}

Datum nothing() { return {}; }

// A vector resized by a scale.
Floats32 scaled(Attributes attributes, const Tensor& x, float scale) {
  return values_of<float>(
      run_node({"Resize", std::move(attributes), {x, nothing(), floats({1}, {scale})}}));
}

Floats32 sized(Attributes attributes, const Tensor& x, int64_t size) {
  return values_of<float>(
      run_node({"Resize", std::move(attributes), {x, nothing(), nothing(), list({size})}}));
}

TEST(Resize, takes_the_nearest_element_in_every_mode) {
  const Tensor x = floats({4}, {1, 2, 3, 4});
  const auto nearest = [&](const char* mode) {
    Attributes attributes = modes("nearest", "half_pixel");
    attributes.set("nearest_mode", mode);
    return sized(attributes, x, 2);  // positions 0.5 and 2.5
  };
  EXPECT_EQ(nearest("round_prefer_floor"), (Floats32{1, 3}));
  EXPECT_EQ(nearest("round_prefer_ceil"), (Floats32{2, 4}));
  EXPECT_EQ(nearest("floor"), (Floats32{1, 3}));
  EXPECT_EQ(nearest("ceil"), (Floats32{2, 4}));
}

TEST(Resize, places_elements_in_every_mode) {
  const Tensor x = floats({4}, {0, 10, 20, 30});
  EXPECT_EQ(sized(modes("linear", "half_pixel"), x, 2), (Floats32{5, 25}));
  EXPECT_EQ(sized(modes("linear", "asymmetric"), x, 2), (Floats32{0, 20}));
  EXPECT_EQ(sized(modes("linear", "align_corners"), x, 3), (Floats32{0, 15, 30}));
  EXPECT_EQ(sized(modes("linear", "align_corners"), x, 1), (Floats32{0}));
  EXPECT_EQ(sized(modes("linear", "pytorch_half_pixel"), x, 1), (Floats32{0}));
  EXPECT_EQ(sized(modes("linear", "tf_half_pixel_for_nn"), x, 2), (Floats32{10, 30}));
  EXPECT_EQ(sized(modes("linear", "half_pixel"), x, 8),
            (Floats32{0, 2.5F, 7.5F, 12.5F, 17.5F, 22.5F, 27.5F, 30}));
  // 4 * 0.8 is cut to 3: its middle stays in the middle.
  const Floats32 middle = scaled(modes("linear", "half_pixel_symmetric"), x, 0.8F);
  ASSERT_EQ(middle.size(), 3U);
  EXPECT_NEAR(middle[0], 2.5F, 1e-4F);
  EXPECT_NEAR(middle[1], 15, 1e-4F);
  EXPECT_NEAR(middle[2], 27.5F, 1e-4F);
}

TEST(Resize, computes_positions_of_stated_scales_in_floats) {
  // 11 / 1.1 is 10, though 1.1F is a little more.
  Attributes attributes = modes("nearest", "asymmetric");
  attributes.set("nearest_mode", "floor");
  const Floats32 y = scaled(attributes, counting({20}), 1.1F);
  ASSERT_EQ(y.size(), 22U);
  EXPECT_EQ(y[11], 10);
  EXPECT_EQ(scaled(attributes, counting({10}), 0.7F).size(), 7U);
}

TEST(Resize, weighs_four_elements_in_cubic_mode) {
  const Tensor x = floats({4}, {0, 0, 1, 0});
  // At 1.5, weights -3/32, 19/32, 19/32, -3/32.
  const Floats32 y = sized(modes("cubic", "align_corners"), x, 3);
  ASSERT_EQ(y.size(), 3U);
  EXPECT_FLOAT_EQ(y[1], 19.0F / 32);
  Attributes half = modes("cubic", "align_corners");
  half.set("cubic_coeff_a", -0.5F);
  EXPECT_FLOAT_EQ(sized(half, x, 3)[1], 9.0F / 16);
}

TEST(Resize, leaves_out_what_is_outside_when_told_so) {
  const Tensor x = floats({2}, {1, 3});
  Attributes attributes = modes("cubic", "half_pixel");
  // At -0.25: weights -0.10546875, 0.87890625 of x[0], -0.03515625... on what is there.
  const Floats32 edges = sized(attributes, x, 4);
  attributes.set("exclude_outside", int64_t{1});
  const Floats32 inside = sized(attributes, x, 4);
  EXPECT_NE(edges[0], inside[0]);
  EXPECT_FLOAT_EQ(inside[0] + inside[3], 4);
}

TEST(Resize, averages_what_falls_together_against_aliasing) {
  Attributes attributes = modes("linear", "half_pixel");
  attributes.set("antialias", int64_t{1});
  // At 0.5 and 2.5, weights 1, 3, 3, 1 of eight; the edge is repeated.
  const Floats32 y = sized(attributes, floats({4}, {0, 8, 16, 24}), 2);
  EXPECT_FLOAT_EQ(y[0], (0 + 0 + 3 * 8 + 16) / 8.0F);
  EXPECT_FLOAT_EQ(y[1], (8 + 3 * 16 + 3 * 24 + 24) / 8.0F);
  attributes.set("mode", "nearest");
  EXPECT_EQ(
      error_of(run_node({"Resize", attributes, {counting({4}), nothing(), nothing(), list({2})}})),
      "the nearest element has no antialiasing");
}

TEST(Resize, crops_and_extrapolates) {
  Attributes attributes = modes("linear", "tf_crop_and_resize");
  attributes.set("extrapolation_value", -1.0F);
  const Tensor x = floats({5}, {0, 1, 2, 3, 4});
  const auto cropped = [&](std::initializer_list<float> region) {
    return values_of<float>(
        run_node({"Resize", attributes, {x, floats({2}, region), nothing(), list({3})}}));
  };
  EXPECT_EQ(cropped({0.25F, 0.75F}), (Floats32{1, 2, 3}));
  EXPECT_EQ(cropped({0.5F, 1.5F}), (Floats32{2, 4, -1}));
  EXPECT_EQ(cropped({NAN, INFINITY}), (Floats32{-1, -1, -1}));
  attributes.set("mode", "nearest");
  EXPECT_EQ(cropped({0.5F, 1.5F}), (Floats32{2, 4, -1}));
  EXPECT_EQ(error_of(run_node({"Resize", attributes, {x, floats({1}, {0}), nothing(), list({3})}})),
            "it has 1 ends of regions for 2 axes");
}

TEST(Resize, of_some_axes_leaves_the_others) {
  const Tensor x = counting<uint8_t>({2, 2});
  const Attributes last = {{"axes", std::vector<int64_t>{-1}}};
  const auto y = run_node({"Resize", last, {x, nothing(), nothing(), list({4})}});
  EXPECT_EQ(values_of<uint8_t>(y), (std::vector<uint8_t>{0, 0, 1, 1, 2, 2, 3, 3}));
  const Attributes first = {{"axes", std::vector<int64_t>{0}}};
  const auto z = run_node({"Resize", first, {x, nothing(), floats({1}, {2})}});
  EXPECT_EQ(values_of<uint8_t>(z), (std::vector<uint8_t>{0, 1, 0, 1, 2, 3, 2, 3}));
}

TEST(Resize, keeps_the_aspect_ratio_when_told_so) {
  const auto kept = [](const char* policy) {
    return shape_of(run_node({"Resize",
                              {{"keep_aspect_ratio_policy", policy}},
                              {counting({4, 6}), nothing(), nothing(), list({2, 9})}}));
  };
  EXPECT_EQ(kept("stretch"), "[2,9]");
  EXPECT_EQ(kept("not_larger"), "[2,3]");
  EXPECT_EQ(kept("not_smaller"), "[6,9]");
  EXPECT_EQ(kept("other"), "there is no policy 'other' of aspects");
}

TEST(Resize, of_two_axes_is_separate_in_each) {
  const auto y = run_node({"Resize",
                           modes("linear", "align_corners"),
                           {floats({2, 2}, {0, 2, 4, 6}), nothing(), nothing(), list({3, 3})}});
  EXPECT_EQ(values_of<float>(y), (Floats32{0, 1, 2, 2, 3, 4, 4, 5, 6}));
}

TEST(Resize, moves_text_and_cuts_integers) {
  EXPECT_EQ(values_of<std::string>(run_node(
                {"Resize", {}, {texts({2}, {"a", "b"}), nothing(), nothing(), list({4})}})),
            (std::vector<std::string>{"a", "a", "b", "b"}));
  const auto y =
      run_node({"Resize",
                modes("cubic", "align_corners"),
                {Tensor::of<uint8_t>({4}, {0, 0, 255, 255}), nothing(), nothing(), list({10})}});
  const auto values = values_of<uint8_t>(y);
  // Cubic kernels swing beyond both ends of the range.
  EXPECT_EQ(values[2], 0);
  EXPECT_EQ(values[7], 255);
}

TEST(Resize, before_version_11_has_scales_alone) {
  const Tensor x = floats({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor smaller = floats({4}, {1, 1, 0.6F, 0.6F});
  // As the test that came with that version has it.
  EXPECT_EQ(values_of<float>(run_node({"Resize", {}, {x, smaller}, 1, 10})), (Floats32{1, 3}));
  const auto linear = run_node({"Resize", {{"mode", "linear"}}, {x, smaller}, 1, 10});
  EXPECT_FLOAT_EQ(values_of<float>(linear)[1], 2.6666665F);
}

TEST(Resize, an_upsample_states_scales_as_each_version_has_it) {
  const Tensor x = floats({1, 1, 1, 2}, {1, 2});
  const Floats32 twice = {1, 1, 2, 2};
  EXPECT_EQ(values_of<float>(run_node({"Upsample", {}, {x, floats({4}, {1, 1, 1, 2})}, 1, 9})),
            twice);
  const Attributes scales = {{"scales", std::vector<float>{1, 1, 1, 2}}};
  EXPECT_EQ(values_of<float>(run_node({"Upsample", scales, {x}, 1, 7})), twice);
  const Attributes sides = {{"height_scale", 1.0F}, {"width_scale", 2.0F}, {"mode", "bilinear"}};
  EXPECT_EQ(values_of<float>(run_node({"Upsample", sides, {x}, 1, 1})), (Floats32{1, 1.5F, 2, 2}));
  EXPECT_EQ(error_of(run_node({"Upsample", {}, {x, floats({4}, {1, 1, 1, 0.5F})}, 1, 9})),
            "a scale of 0.5 has no meaning");
}

TEST(Resize, that_has_no_meaning_is_refused) {
  const Tensor x = counting({2});
  const auto by_scale = [&](float scale) {
    return error_of(run_node({"Resize", {}, {x, nothing(), floats({1}, {scale})}}));
  };
  EXPECT_EQ(by_scale(0), "a scale of 0 has no meaning");
  EXPECT_EQ(by_scale(-1), "a scale of -1 has no meaning");
  EXPECT_EQ(by_scale(NAN), "a scale of nan has no meaning");
  EXPECT_EQ(by_scale(INFINITY), "a scale of inf has no meaning");
  EXPECT_EQ(by_scale(1e30F), "a scale of 1e+30 is too large");
  EXPECT_EQ(by_scale(1e9F), "more than a test may have");
  EXPECT_EQ(by_scale(1e-30F), "no error");
  EXPECT_EQ(error_of(run_node({"Resize", {}, {x}})),
            "it takes either scales or sizes, and has both or none");
  EXPECT_EQ(error_of(run_node({"Resize", {}, {x, nothing(), floats({2}, {1, 1})}})),
            "it has 2 scales for 1 axes");
  EXPECT_EQ(error_of(run_node({"Resize", {}, {x, nothing(), nothing(), list({-1})}})),
            "an extent of 2 cannot be made -1");
  EXPECT_EQ(error_of(run_node({"Resize", {}, {counting({0}), nothing(), nothing(), list({1})}})),
            "an extent of 0 cannot be made 1");
  EXPECT_EQ(
      error_of(run_node({"Resize", modes("linear", "odd"), {x, nothing(), nothing(), list({1})}})),
      "there are no coordinates of mode 'odd'");
  EXPECT_EQ(error_of(run_node({"Resize",
                               modes("linear", "half_pixel"),
                               {texts({1}, {"a"}), nothing(), nothing(), list({2})}})),
            "it is not defined for tensors of BYTES");
}

}  // namespace
}  // namespace casemate::engine
