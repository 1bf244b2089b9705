// SPDX-License-Identifier: Apache-2.0
// NonMaxSuppression: of boxes that overlap, the one with the best score.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

struct Corners {
  float y_low = 0;
  float x_low = 0;
  float y_high = 0;
  float x_high = 0;

  [[nodiscard]] float area() const { return (y_high - y_low) * (x_high - x_low); }
};

// Of [y1,x1,y2,x2], any two opposite corners, or [x,y,width,height] around a centre.
Corners corners_of(std::span<const float> box, bool around_centre) {
  if (around_centre) {
    const float half_width = box[2] / 2;
    const float half_height = box[3] / 2;
    return {box[1] - half_height, box[0] - half_width, box[1] + half_height, box[0] + half_width};
  }
  return {std::min(box[0], box[2]), std::min(box[1], box[3]), std::max(box[0], box[2]),
          std::max(box[1], box[3])};
}

// The share of both boxes together that lies in both.
float overlap(const Corners& a, const Corners& b) {
  const float height = std::min(a.y_high, b.y_high) - std::max(a.y_low, b.y_low);
  const float width = std::min(a.x_high, b.x_high) - std::max(a.x_low, b.x_low);
  if (!(height > 0 && width > 0 && a.area() > 0 && b.area() > 0)) return 0;
  const float both = height * width;
  return both / (a.area() + b.area() - both);
}

struct Limits {
  int64_t boxes_max = 0;  // per class of an image
  float overlap_max = 0;
  std::optional<float> score_min = {};
};

Result<Limits> limits_of(Computation& c) {
  Limits limits;
  if (c.has(2)) limits.boxes_max = std::max<int64_t>(TRY(c.integer(2)), 0);
  if (c.has(3)) limits.overlap_max = TRY(only_element<float>(c, 3));
  if (c.has(4)) limits.score_min = TRY(only_element<float>(c, 4));
  if (limits.overlap_max >= 0 && limits.overlap_max <= 1) return limits;
  return Error{Code::kInvalid,
               formatted("its iou_threshold is {}, expected 0 to 1", limits.overlap_max)};
}

// The boxes of one class that are kept, the best first. Of equal scores the earlier box is.
std::vector<int64_t> select(std::span<const Corners> boxes, std::span<const float> scores,
                            const Limits& limits) {
  std::vector<int64_t> candidates;
  for (size_t i = 0; i < scores.size(); ++i) {
    // NaN is no score: it could not be ordered.
    if (std::isnan(scores[i]) || (limits.score_min && !(scores[i] > *limits.score_min))) continue;
    candidates.push_back(static_cast<int64_t>(i));
  }
  std::ranges::stable_sort(candidates, std::ranges::greater(),
                           [&](int64_t box) { return scores[box]; });
  std::vector<int64_t> kept;
  for (const int64_t box : candidates) {
    if (static_cast<int64_t>(kept.size()) >= limits.boxes_max) break;
    const bool covered = std::ranges::any_of(kept, [&](int64_t better) {
      return overlap(boxes[box], boxes[better]) > limits.overlap_max;
    });
    if (!covered) kept.push_back(box);
  }
  return kept;
}

Status compute_non_max_suppression(Computation& c) {
  const Shape& boxes = c.shape(0);
  const Shape& scores = c.shape(1);
  const bool ranks = boxes.rank() == 3 && scores.rank() == 3;
  if (!ranks || boxes[2] != 4 || boxes[0] != scores[0] || boxes[1] != scores[2]) {
    return Error{Code::kInvalid,
                 formatted("its boxes {} and scores {} need the shapes [N,boxes,4] and "
                           "[N,classes,boxes]",
                           boxes.text(), scores.text())};
  }
  const bool around_centre = c.attributes().integer("center_point_box", 0) != 0;
  const auto all_boxes = TRY(c.values<float>(0));
  const auto all_scores = TRY(c.values<float>(1));
  const Limits limits = TRY(limits_of(c));
  const auto count = static_cast<size_t>(boxes[1]);
  std::vector<int64_t> selected;
  // Where there is no score there may be more boxes than memory.
  std::vector<Corners> corners(all_scores.empty() ? 0 : count);
  for (size_t n = 0; n < (all_scores.empty() ? 0 : static_cast<size_t>(boxes[0])); ++n) {
    for (size_t i = 0; i < count; ++i)
      corners[i] = corners_of(all_boxes.subspan((n * count + i) * 4, 4), around_centre);
    const auto classes = static_cast<size_t>(scores[1]);
    for (size_t k = 0; k < classes; ++k) {
      const auto of_class = all_scores.subspan((n * classes + k) * count, count);
      for (const int64_t box : select(corners, of_class, limits))
        selected.insert(selected.end(), {static_cast<int64_t>(n), static_cast<int64_t>(k), box});
    }
  }
  const Shape shape = {static_cast<int64_t>(selected.size() / 3), 3};
  std::ranges::copy(selected, TRY(c.make<int64_t>(0, shape)).begin());
  return {};
}

}  // namespace

void add_detection(Operators& operators) {
  operators.add("NonMaxSuppression", compute_non_max_suppression);
}

}  // namespace casemate::engine
