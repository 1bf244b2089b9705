// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/engine/operators/literals.h"

namespace casemate::engine {
namespace {

using Floats32 = std::vector<float>;

Result<std::vector<Datum>> aligned(Attributes attributes, std::initializer_list<float> region,
                                   int since = 0, int64_t image = 0) {
  return run_node({"RoiAlign",
                   std::move(attributes),
                   {counting({1, 1, 4, 4}), floats({1, 4}, region), list({image})},
                   1,
                   since});
}

TEST(RoiAlign, averages_samples_of_bins) {
  const Attributes two = {
      {"output_height", int64_t{2}}, {"output_width", int64_t{2}}, {"sampling_ratio", int64_t{1}}};
  // Bins of 1x1 from (0.5, 0.5): samples stand half a pixel before their bins' middles.
  EXPECT_EQ(values_of<float>(aligned(two, {0.5F, 0.5F, 2.5F, 2.5F})),
            (Floats32{2.5F, 3.5F, 6.5F, 7.5F}));
  // Before version 16 there was no such half pixel.
  EXPECT_EQ(values_of<float>(aligned(two, {0.5F, 0.5F, 2.5F, 2.5F}, 10)), (Floats32{5, 6, 9, 10}));
}

TEST(RoiAlign, has_zeros_outside_of_the_image) {
  EXPECT_EQ(values_of<float>(aligned({}, {100, 100, 200, 200})), Floats32{0});
  EXPECT_EQ(values_of<float>(aligned({}, {0, 0, 0, 0})), Floats32{0});
  EXPECT_EQ(values_of<float>(aligned({}, {NAN, NAN, NAN, NAN})), Floats32{0});
  // A region of a thousand images' size, of which one is there.
  const auto large = values_of<float>(aligned({}, {-2000, -2000, 2000, 2000}));
  EXPECT_NEAR(large[0], 7.5F * 16 / 16e6F, 1e-5F);
}

TEST(RoiAlign, ends_for_regions_without_end) {
  for (const float far : {1e10F, 1e30F, INFINITY}) {
    EXPECT_EQ(error_of(aligned({}, {-far, -far, far, far})), "no error");
    EXPECT_EQ(error_of(aligned({{"mode", "max"}}, {0, 0, far, far}, 10)), "no error");
  }
}

TEST(RoiAlign, takes_the_highest_part_in_max_mode) {
  const Attributes maximum = {{"mode", "max"}, {"sampling_ratio", int64_t{1}}};
  // The sample at (1.5, 1.5) is a quarter of 5, 6, 9 and 10.
  EXPECT_EQ(values_of<float>(aligned(maximum, {1, 1, 3, 3})), Floats32{2.5F});
}

TEST(RoiAlign, refuses_what_does_not_fit) {
  EXPECT_EQ(error_of(aligned({}, {0, 0, 1, 1}, 0, 1)), "a region is of image 1, there are 1");
  EXPECT_EQ(error_of(aligned({}, {0, 0, 1, 1}, 0, -1)), "a region is of image -1, there are 1");
  EXPECT_EQ(error_of(aligned({{"sampling_ratio", int64_t{1} << 40}}, {0, 0, 1, 1})),
            "1099511627776 samples of a bin are over the limit of 128");
  EXPECT_EQ(error_of(aligned({{"output_height", int64_t{0}}}, {0, 0, 1, 1})),
            "1 regions of images [1] cannot be made 0x1");
  EXPECT_EQ(
      error_of(run_node({"RoiAlign", {}, {counting({1, 1, 4, 4}), counting({1, 5}), list({0})}})),
      "regions of shape [1,5] do not fit images of shape [1,1,4,4]");
  EXPECT_EQ(
      error_of(run_node({"RoiAlign", {}, {counting({1, 1, 0, 4}), counting({1, 4}), list({0})}})),
      "its images have no elements");
}

Result<std::vector<Datum>> pooled(std::vector<int64_t> size, std::initializer_list<float> region,
                                  float scale = 1) {
  return run_node({"MaxRoiPool",
                   {{"pooled_shape", std::move(size)}, {"spatial_scale", scale}},
                   {counting({2, 1, 4, 4}), floats({1, 5}, region)}});
}

TEST(MaxRoiPool, takes_the_highest_of_each_bin) {
  EXPECT_EQ(values_of<float>(pooled({2, 2}, {0, 0, 0, 3, 3})), (Floats32{5, 7, 13, 15}));
  EXPECT_EQ(values_of<float>(pooled({1, 1}, {1, 0, 0, 2, 2}, 0.5F)), Floats32{16 + 5});
  // Three rows make two bins that overlap in the middle one.
  EXPECT_EQ(values_of<float>(pooled({2, 1}, {0, 0, 0, 0, 2})), (Floats32{4, 8}));
}

TEST(MaxRoiPool, has_zeros_outside_of_the_image) {
  EXPECT_EQ(values_of<float>(pooled({1, 1}, {0, 50, 50, 60, 60})), Floats32{0});
  EXPECT_EQ(values_of<float>(pooled({1, 1}, {0, -1e30F, -1e30F, 1e30F, 1e30F})), Floats32{15});
  EXPECT_EQ(values_of<float>(pooled({1, 1}, {0, NAN, NAN, NAN, NAN})), Floats32{0});
}

TEST(MaxRoiPool, refuses_what_does_not_fit) {
  EXPECT_EQ(error_of(pooled({1, 1}, {2, 0, 0, 1, 1})), "a region is of image 2, there are 2");
  EXPECT_EQ(error_of(pooled({1, 1}, {NAN, 0, 0, 1, 1})), "a region is of image nan, there are 2");
  EXPECT_EQ(error_of(pooled({1}, {0, 0, 0, 1, 1})), "its pooled shape is no height and width");
  EXPECT_EQ(error_of(pooled({0, 1}, {0, 0, 0, 1, 1})), "its pooled shape is no height and width");
}

}  // namespace
}  // namespace casemate::engine
