// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using Floats32 = std::vector<float>;

// Samples of a 2x2 image at points of (x, y).
Result<std::vector<Datum>> sampled(Attributes attributes, std::initializer_list<float> points) {
  return run_node({"GridSample",
                   std::move(attributes),
                   {floats({1, 1, 2, 2}, {1, 2, 3, 4}),
                    floats({1, 1, static_cast<int64_t>(points.size()) / 2, 2}, points)}});
}

TEST(GridSample, interpolates_between_corners) {
  const Attributes aligned = {{"align_corners", int64_t{1}}};
  const auto y = sampled(aligned, {-1, -1, 1, -1, 0, 0, 0, 1});
  EXPECT_EQ(shape_of(y), "[1,1,1,4]");
  EXPECT_EQ(values_of<float>(y), (Floats32{1, 2, 2.5F, 3.5F}));
}

TEST(GridSample, has_zeros_or_the_border_or_a_mirror_outside) {
  // Half an element beyond the left edge, then two elements.
  const std::initializer_list<float> points = {-1, -0.5F, -3, -0.5F};
  EXPECT_EQ(values_of<float>(sampled({}, points)), (Floats32{0.5F, 0}));
  EXPECT_EQ(values_of<float>(sampled({{"padding_mode", "border"}}, points)), (Floats32{1, 1}));
  EXPECT_EQ(values_of<float>(sampled({{"padding_mode", "reflection"}}, points)), (Floats32{1, 2}));
}

TEST(GridSample, takes_the_nearest_element) {
  const Attributes nearest = {{"mode", "nearest"}};
  EXPECT_EQ(values_of<float>(sampled(nearest, {-0.4F, -0.6F, 0.4F, 0.3F, 9, 0})),
            (Floats32{1, 4, 0}));
  const auto text =
      run_node({"GridSample",
                nearest,
                {texts({1, 1, 1, 2}, {"a", "b"}), floats({1, 1, 2, 2}, {0.5F, 0, 5, 0})}});
  EXPECT_EQ(values_of<std::string>(text), (std::vector<std::string>{"b", ""}));
}

TEST(GridSample, is_nowhere_at_what_is_no_number) {
  EXPECT_EQ(values_of<float>(sampled({}, {NAN, 0, INFINITY, 0})), (Floats32{0, 0}));
  const Attributes mirrored = {{"padding_mode", "reflection"}, {"mode", "nearest"}};
  const auto y = values_of<float>(sampled(mirrored, {NAN, -1, INFINITY, -1, -1e30F, -1}));
  EXPECT_EQ(y[0], 1);
}

TEST(GridSample, samples_volumes_and_channels) {
  const Tensor x = counting({1, 2, 2, 2, 2});
  const Tensor middle = floats({1, 1, 1, 1, 3}, {0, 0, 0});
  const auto y = run_node({"GridSample", {{"mode", "linear"}}, {x, middle}});
  EXPECT_EQ(shape_of(y), "[1,2,1,1,1]");
  EXPECT_EQ(values_of<float>(y), (Floats32{3.5F, 11.5F}));
}

TEST(GridSample, weighs_sixteen_elements_in_cubic_mode) {
  std::vector<float> ramp(16);
  for (size_t i = 0; i < 16; ++i) ramp[i] = static_cast<float>(i % 4);
  const auto y = run_node({"GridSample",
                           {{"mode", "bicubic"}, {"align_corners", int64_t{1}}},
                           {Tensor::of<float>({1, 1, 4, 4}, ramp), floats({1, 1, 1, 2}, {0, 0})}});
  EXPECT_FLOAT_EQ(values_of<float>(y)[0], 1.5F);
}

TEST(GridSample, refuses_grids_that_do_not_fit) {
  const Tensor x = counting({1, 1, 2, 2});
  const auto refusal = [&](const Shape& grid) {
    return error_of(run_node({"GridSample", {}, {x, counting(grid)}}));
  };
  EXPECT_EQ(refusal({1, 1, 1, 3}),
            "a grid of shape [1,1,1,3] does not fit an input of shape [1,1,2,2]");
  EXPECT_EQ(refusal({2, 1, 1, 2}),
            "a grid of shape [2,1,1,2] does not fit an input of shape [1,1,2,2]");
  EXPECT_EQ(refusal({1, 2}), "a grid of shape [1,2] does not fit an input of shape [1,1,2,2]");
  EXPECT_EQ(
      error_of(run_node({"GridSample", {}, {counting({1, 1, 0, 2}), counting({1, 1, 1, 2})}})),
      "an input of shape [1,1,0,2] has nothing to sample");
  EXPECT_EQ(error_of(sampled({{"mode", "odd"}}, {0, 0})), "there is no sampling of mode 'odd'");
}

TEST(AffineGrid, transforms_points_of_an_image) {
  const Tensor theta = floats({1, 2, 3}, {1, 0, 10, 0, 2, 0});
  const auto centers = run_node({"AffineGrid", {}, {theta, list({1, 1, 2, 2})}});
  EXPECT_EQ(shape_of(centers), "[1,2,2,2]");
  EXPECT_EQ(values_of<float>(centers), (Floats32{9.5F, -1, 10.5F, -1, 9.5F, 1, 10.5F, 1}));
  const auto corners =
      run_node({"AffineGrid", {{"align_corners", int64_t{1}}}, {theta, list({1, 1, 1, 2})}});
  EXPECT_EQ(values_of<float>(corners), (Floats32{9, 0, 11, 0}));
}

TEST(AffineGrid, transforms_points_of_a_volume) {
  const Tensor theta = floats({1, 3, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0.5F});
  const auto y = run_node({"AffineGrid", {}, {theta, list({1, 1, 2, 1, 1})}});
  EXPECT_EQ(shape_of(y), "[1,2,1,1,3]");
  EXPECT_EQ(values_of<float>(y), (Floats32{0, 0, 0, 0, 0, 1}));
}

TEST(AffineGrid, refuses_sizes_that_do_not_fit) {
  const Tensor theta = counting({1, 2, 3});
  const auto refusal = [&](std::initializer_list<int64_t> size) {
    return error_of(run_node({"AffineGrid", {}, {theta, list(size)}}));
  };
  EXPECT_EQ(refusal({}), "matrices of shape [1,2,3] do not fit 0 extents of a batch of images");
  EXPECT_EQ(refusal({1, 1, 2, 2, 2}),
            "matrices of shape [1,2,3] do not fit 5 extents of a batch of images");
  EXPECT_EQ(refusal({1, 1, -2, 2}), "shape [1,-2,2,2] has a negative extent");
  EXPECT_EQ(refusal({1, 1, 1 << 15, 1 << 15}), "more than a test may have");
  EXPECT_EQ(shape_of(run_node({"AffineGrid", {}, {theta, list({1, 1, 0, 1LL << 40})}})),
            "[1,0,1099511627776,2]");
}

}  // namespace
}  // namespace casemate::engine
