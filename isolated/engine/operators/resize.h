// SPDX-License-Identifier: Apache-2.0
#pragma once
// Resizing: where the elements of a resized tensor come from, axis by axis.
//
// Each position of the output lies somewhere in the input; what is there is made of the input's
// elements around it. Both are separate for every axis.
//
//   Owns     a Taps its numbers.
//   Threads  value types.
//   Trust    scales, sizes and regions may be anything that resize.cc has let through.
//   Fails    nothing here.

#include <cstdint>
#include <vector>

namespace casemate::engine {

// Where a position of the output lies in the input.
enum class Placement : uint8_t {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kTfHalfPixelForNearest,
  kAlignCorners,
  kAsymmetric,
  kCropAndResize,
};

enum class Interpolation : uint8_t { kNearest, kLinear, kCubic };

// Which element is nearest.
enum class Nearest : uint8_t {
  kRoundPreferFloor,
  kRoundPreferCeil,
  kFloor,
  kCeil,
  kByDirection,  // before version 11: up where the axis shrinks, down where it grows
};

struct Resampling {
  Placement placement = Placement::kAsymmetric;
  Interpolation interpolation = Interpolation::kNearest;
  Nearest nearest = Nearest::kFloor;
  double cubic_coefficient = -0.75;
  bool antialias = false;
  bool exclude_outside = false;
  float extrapolation = 0;
};

struct ResizedAxis {
  int64_t in = 1;
  int64_t out = 1;
  // The scale is multiple / divisor. A model states it as a float, and then all computes in floats
  // to get the positions it was exported for: 0.6F is not 3/5, but 3 / 0.6F is 5.
  double multiple = 1;
  double divisor = 1;
  bool in_floats = false;
  double region_start = 0;  // of the input's extent; for kCropAndResize
  double region_end = 1;

  [[nodiscard]] double scale() const { return multiple / divisor; }
  // The output's extent before it was made an integer.
  [[nodiscard]] double length() const;
  // Where the output's position lies; may be outside of the input.
  [[nodiscard]] double position(double x, Placement placement) const;
  // Whether the output's elements are the input's, one by one.
  [[nodiscard]] bool unchanged(Placement placement) const;
};

// For each position of an output axis, the elements it is made of: none where it lies outside of
// the region, which only kCropAndResize knows.
struct Taps {
  std::vector<int64_t> first;  // of a position, in the lists below; one more at the end
  std::vector<int64_t> index;
  std::vector<double> weight;

  [[nodiscard]] bool outside(int64_t position) const {
    const auto i = static_cast<size_t>(position);
    return first[i] == first[i + 1];
  }
};

// Elements on the way of one position, at most.
int64_t tap_count(const ResizedAxis& axis, const Resampling& how);
// Requires: both extents are at least 1.
Taps taps_of(const ResizedAxis& axis, const Resampling& how);

}  // namespace casemate::engine
