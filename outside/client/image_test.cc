// SPDX-License-Identifier: Apache-2.0
#include "outside/client/image.h"

#include <gtest/gtest.h>

namespace casemate::client {
namespace {

Port port(Shape shape, ElementType type = ElementType::kFloat32) { return {"image", type, shape}; }

Properties properties(std::initializer_list<std::pair<std::string, std::string>> list) {
  Properties result;
  for (const auto& [key, value] : list) result["casemate.input.image." + key] = value;
  return result;
}

std::string refusal(const auto& result) { return result ? "accepted" : result.error().text; }

std::vector<float> floats(const Tensor& tensor) {
  std::vector<float> values;
  for (Bytes left = tensor.data; !left.empty(); left = left.subspan(sizeof(float)))
    values.push_back(load<float>(left));
  return values;
}

const Picture kRed{.width = 1, .height = 1, .channels = 3, .pixels = {255, 0, 51}};

TEST(Resize, shrinking_averages_the_pixels_that_fall_together) {
  const Picture picture{
      .width = 4, .height = 2, .channels = 1, .pixels = {0, 2, 4, 6, 8, 10, 12, 14}};
  EXPECT_EQ(resized(picture, 2, 1), (std::vector<float>{5, 9}));
  EXPECT_EQ(resized(picture, 1, 1), (std::vector<float>{7}));
}

TEST(Resize, a_pixel_between_two_counts_for_both_by_its_parts) {
  const Picture picture{.width = 3, .height = 1, .channels = 1, .pixels = {0, 30, 90}};
  const auto values = resized(picture, 2, 1);
  EXPECT_NEAR(values[0], 10, 1e-4);  // 0 and half of 30, over 1.5 pixels
  EXPECT_NEAR(values[1], 70, 1e-4);
}

TEST(Resize, growing_interpolates_between_centres_and_holds_the_edges) {
  const Picture picture{.width = 2, .height = 1, .channels = 1, .pixels = {0, 100}};
  EXPECT_EQ(resized(picture, 4, 1), (std::vector<float>{0, 25, 75, 100}));
  EXPECT_EQ(resized(picture, 4, 2), (std::vector<float>{0, 25, 75, 100, 0, 25, 75, 100}));
}

TEST(Resize, one_axis_may_grow_while_the_other_shrinks) {
  const Picture picture{
      .width = 1, .height = 4, .channels = 3, .pixels = {0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8}};
  EXPECT_EQ(resized(picture, 2, 2), (std::vector<float>{1, 2, 3, 1, 2, 3, 5, 6, 7, 5, 6, 7}));
}

TEST(Resize, an_even_picture_stays_even_in_any_size) {
  const Picture picture{
      .width = 7, .height = 5, .channels = 1, .pixels = std::vector<uint8_t>(35, 200)};
  for (const auto& [width, height] : {std::pair{28u, 28u}, {3u, 2u}, {7u, 5u}, {1u, 11u}}) {
    for (const float value : resized(picture, width, height)) EXPECT_NEAR(value, 200, 1e-3);
  }
}

TEST(Resize, a_long_picture_takes_no_more_memory_than_its_ends) {
  const Picture picture{.width = 16,
                        .height = 1'000'000,
                        .channels = 1,
                        .pixels = std::vector<uint8_t>(16'000'000, 7)};
  EXPECT_NEAR(resized(picture, 16'384, 1).back(), 7, 0.1);  // a sum of a million floats
}

TEST(Image, the_models_properties_say_how_a_picture_becomes_numbers) {
  const auto recipe =
      recipe_for(port({-1, 1, 28, 28}), properties({{"size", "28x28"},
                                                    {"color", "grey"},
                                                    {"scale", "0.00392156862745098"},
                                                    {"mean", "0"},
                                                    {"std", "1"}}));
  ASSERT_TRUE(recipe) << recipe.error().text;
  const Picture white{.width = 1, .height = 1, .channels = 1, .pixels = {255}};
  const auto tensor = to_tensor(white, *recipe, port({-1, 1, 28, 28}));
  ASSERT_TRUE(tensor) << tensor.error().text;
  EXPECT_EQ(tensor->shape, Shape({1, 1, 28, 28}));
  EXPECT_EQ(tensor->name, "image");
  for (const float value : floats(*tensor)) EXPECT_NEAR(value, 1, 1e-6);
}

TEST(Image, invert_turns_black_on_white_into_white_on_black) {
  auto recipe = recipe_for(port({1, 1, 1, 1}), {});
  ASSERT_TRUE(recipe);
  recipe->invert = true;
  const Picture picture{.width = 1, .height = 1, .channels = 1, .pixels = {51}};
  EXPECT_NEAR(floats(*to_tensor(picture, *recipe, port({1, 1, 1, 1})))[0], 0.8, 1e-6);
}

TEST(Image, mean_and_std_hold_for_each_channel) {
  const auto recipe =
      recipe_for(port({1, 3, 1, 1}), properties({{"mean", "0.5,0.25,0.2"}, {"std", "0.5,1,2"}}));
  ASSERT_TRUE(recipe) << recipe.error().text;
  const auto values = floats(*to_tensor(kRed, *recipe, port({1, 3, 1, 1})));
  EXPECT_NEAR(values[0], 1, 1e-6);
  EXPECT_NEAR(values[1], -0.25, 1e-6);
  EXPECT_NEAR(values[2], 0, 1e-6);
}

TEST(Image, channels_come_first_or_last_as_the_input_has_them) {
  const Picture picture{.width = 2, .height = 1, .channels = 3, .pixels = {1, 2, 3, 4, 5, 6}};
  const auto made = [&](const Port& input) {
    const auto recipe = recipe_for(input, properties({{"scale", "1"}}));
    EXPECT_TRUE(recipe) << refusal(recipe);
    return floats(*to_tensor(picture, *recipe, input));
  };
  EXPECT_EQ(made(port({1, 3, 1, 2})), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(made(port({3, 1, 2})), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(made(port({-1, 7, 2, 3})).size(), 42u);
  EXPECT_EQ(made(port({7, 2, 3})).at(2), 3.0f);
}

TEST(Image, a_byte_input_takes_pixels_as_they_are) {
  const Port input = port({1, 3, 1, 1}, ElementType::kUint8);
  const auto recipe = recipe_for(input, {});
  ASSERT_TRUE(recipe);
  EXPECT_EQ(to_tensor(kRed, *recipe, input)->data, kRed.pixels);
}

TEST(Image, inputs_that_take_no_picture_are_refused_with_advice) {
  for (const Shape& shape : {Shape{}, Shape{10}, Shape{2, 3, 28, 28}, Shape{1, 2, 28, 28},
                             Shape{1, 1, 1, 28, 28}, Shape{1, 1, 0, 28}, Shape{1, 1, 99999, 28}}) {
    EXPECT_NE(refusal(recipe_for(port(shape), {})).find("picture"), std::string::npos)
        << shape.text();
  }
  const auto recipe = recipe_for(port({1, 1, 2, 2}), {});
  EXPECT_NE(refusal(to_tensor(kRed, *recipe, port({1, 1, 2, 2}, ElementType::kInt64))).find(".npy"),
            std::string::npos);
}

TEST(Image, an_input_of_any_size_needs_to_be_told_one) {
  EXPECT_NE(refusal(recipe_for(port({1, 1, -1, -1}), {})).find("--image size="), std::string::npos);
  const auto recipe = recipe_for(port({1, 1, -1, -1}), properties({{"size", "4x2"}}));
  ASSERT_TRUE(recipe);
  EXPECT_EQ(to_tensor(kRed, *recipe, port({1, 1, -1, -1}))->shape, Shape({1, 1, 2, 4}));
}

TEST(Image, properties_that_are_nonsense_are_refused_by_name) {
  const auto with = [](const std::string& key, const std::string& value) {
    return refusal(recipe_for(port({1, 1, 28, 28}), properties({{key, value}})));
  };
  for (const std::string value :
       {"28", "x28", "28x", "0x28", "28x28x28", "-1x28", "99999x28", "14x28"})
    EXPECT_NE(with("size", value).find("image.size"), std::string::npos) << value;
  EXPECT_NE(with("color", "rgb").find("one channel"), std::string::npos);
  EXPECT_NE(with("color", "sepia").find("one channel"), std::string::npos);
  for (const std::string value : {"", "x", "nan", "inf", "1e999", "1 "})
    EXPECT_NE(with("scale", value).find("image.scale"), std::string::npos) << value;
  for (const std::string value : {"", "1,2", "1,2,3,4", "1,,3", "nan", "1,2,"})
    EXPECT_NE(with("mean", value).find("image.mean"), std::string::npos) << value;
  EXPECT_NE(with("std", "0").find("divides"), std::string::npos);
  EXPECT_NE(with("std", "1,0,1").find("divides"), std::string::npos);
}

}  // namespace
}  // namespace casemate::client
