// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Numbers64 = std::vector<int64_t>;

// Three at about the same place, two at another, one far away.
const Tensor kBoxes =
    Tensor::of<float>({1, 6, 4}, {0, 0,  1, 1,  0, 0.1F,  1, 1.1F,  0, -0.1F, 1, 0.9F,
                                  0, 10, 1, 11, 0, 10.1F, 1, 11.1F, 0, 100,   1, 101});
const Tensor kScores = Tensor::of<float>({1, 1, 6}, {0.9F, 0.75F, 0.6F, 0.95F, 0.5F, 0.3F});

Tensor number(float value) { return Tensor::of<float>({1}, {value}); }
Tensor count(int64_t value) { return Tensor::of<int64_t>({1}, {value}); }

std::vector<Datum> inputs(int64_t boxes_max, float overlap, float score) {
  return {kBoxes, kScores, count(boxes_max), number(overlap), number(score)};
}

TEST(NonMaxSuppression, keeps_the_best_of_those_that_overlap) {
  const auto kept = run_node({"NonMaxSuppression", {}, inputs(3, 0.5F, 0)});
  EXPECT_EQ(values_of<int64_t>(kept), (Numbers64{0, 0, 3, 0, 0, 0, 0, 0, 5}));
  EXPECT_EQ((*kept)[0].tensor()->shape(), (Shape{3, 3}));
  EXPECT_EQ(values_of<int64_t>(run_node({"NonMaxSuppression", {}, inputs(3, 0.5F, 0.4F)})),
            (Numbers64{0, 0, 3, 0, 0, 0}));
  EXPECT_EQ(values_of<int64_t>(run_node({"NonMaxSuppression", {}, inputs(1, 0.5F, 0)})),
            (Numbers64{0, 0, 3}));
}

TEST(NonMaxSuppression, without_a_number_of_boxes_keeps_none) {
  const auto none = run_node({"NonMaxSuppression", {}, {kBoxes, kScores}});
  EXPECT_EQ(values_of<int64_t>(none), Numbers64());
  EXPECT_EQ((*none)[0].tensor()->shape(), (Shape{0, 3}));
  EXPECT_EQ(values_of<int64_t>(run_node({"NonMaxSuppression", {}, inputs(-5, 0.5F, 0)})),
            Numbers64());
}

TEST(NonMaxSuppression, takes_any_corners_and_centres) {
  const Tensor flipped = Tensor::of<float>({1, 2, 4}, {1, 1, 0, 0, 0, 0.1F, 1, 1.1F});
  const Tensor scores = Tensor::of<float>({1, 1, 2}, {0.5F, 0.5F});
  const auto run = [&](Attributes attributes, const Tensor& boxes) {
    return values_of<int64_t>(run_node(
        {"NonMaxSuppression", std::move(attributes), {boxes, scores, count(9), number(0.5F)}}));
  };
  // The first of equal scores.
  EXPECT_EQ(run({}, flipped), (Numbers64{0, 0, 0}));
  const Tensor centred = Tensor::of<float>({1, 2, 4}, {5, 5, 2, 2, 6, 6, 2, 2});
  EXPECT_EQ(run({{"center_point_box", int64_t{1}}}, centred), (Numbers64{0, 0, 0, 0, 0, 1}));
}

TEST(NonMaxSuppression, what_is_no_number_is_no_score) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor boxes = Tensor::of<float>(
      {1, 3, 4}, {NAN, 0, 1, 1, 0, 0, kInfinity, kInfinity, 0, 0, kInfinity, kInfinity});
  const Tensor scores = Tensor::of<float>({1, 1, 3}, {NAN, kInfinity, -kInfinity});
  const auto kept = run_node({"NonMaxSuppression", {}, {boxes, scores, count(INT64_MAX)}});
  EXPECT_EQ(values_of<int64_t>(kept), (Numbers64{0, 0, 1, 0, 0, 2}));
}

TEST(NonMaxSuppression, shapes_and_thresholds_that_fit_nothing_are_refused) {
  const Tensor scores = Tensor::of<float>({1, 1, 5}, {1, 1, 1, 1, 1});
  EXPECT_EQ(error_of(run_node({"NonMaxSuppression", {}, {kBoxes, scores}})),
            "its boxes [1,6,4] and scores [1,1,5] need the shapes [N,boxes,4] and "
            "[N,classes,boxes]");
  EXPECT_EQ(error_of(run_node({"NonMaxSuppression", {}, inputs(1, 1.5F, 0)})),
            "its iou_threshold is 1.5, expected 0 to 1");
  auto wide = inputs(1, 0.5F, 0);
  wide[2] = Tensor::of<int64_t>({2}, {1, 1});
  EXPECT_EQ(error_of(run_node({"NonMaxSuppression", {}, wide})),
            "its input 2 has 2 elements, it takes one");
  constexpr int64_t kVast = int64_t{1} << 50;
  const Tensor no_boxes = Tensor::of<float>({0, kVast, 4}, {});
  const Tensor no_scores = Tensor::of<float>({0, 1, kVast}, {});
  EXPECT_EQ(values_of<int64_t>(run_node({"NonMaxSuppression", {}, {no_boxes, no_scores}})),
            Numbers64());
}

}  // namespace
}  // namespace casemate::engine
