// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "isolated/engine/operators/resize.h"

namespace casemate::engine {
namespace {

int64_t nearest_of(double position, Nearest nearest, double scale) {
  const auto pick = [&] {
    switch (nearest) {
      case Nearest::kRoundPreferFloor:
        return std::ceil(position - 0.5);
      case Nearest::kRoundPreferCeil:
        return std::floor(position + 0.5);
      case Nearest::kFloor:
        return std::floor(position);
      case Nearest::kCeil:
        return std::ceil(position);
      default:
        return scale < 1 ? std::ceil(position) : std::floor(position);
    }
  };
  return static_cast<int64_t>(pick());
}

// The weight of an element at a distance: 1 - |x| up to 1, or Keys' cubic kernel up to 2.
double weight_of(double distance, const Resampling& how) {
  const double x = std::abs(distance);
  if (how.interpolation == Interpolation::kLinear) return std::max(0.0, 1 - x);
  const double a = how.cubic_coefficient;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

// How much a kernel is stretched: over all elements that fall together where an axis shrinks.
double kernel_scale(const ResizedAxis& axis, const Resampling& how) {
  return how.antialias ? std::min(1.0, axis.scale()) : 1.0;
}

// The first element on the way, from the one below the position.
int64_t first_tap(const ResizedAxis& axis, const Resampling& how) {
  const double support = how.interpolation == Interpolation::kLinear ? 1 : 2;
  return static_cast<int64_t>(std::floor(-support / kernel_scale(axis, how))) + 1;
}

void add_weighted(const ResizedAxis& axis, const Resampling& how, double position, Taps& taps) {
  const double below = std::floor(position);
  const double scale = kernel_scale(axis, how);
  const int64_t first = first_tap(axis, how);
  const auto inside = [&](int64_t i) { return std::clamp<int64_t>(i, 0, axis.in - 1); };
  const size_t start = taps.index.size();
  double sum = 0;
  for (int64_t i = first; i < 2 - first; ++i) {
    const int64_t element = static_cast<int64_t>(below) + i;
    if (how.exclude_outside && inside(element) != element) continue;
    const double weight = weight_of((static_cast<double>(i) - (position - below)) * scale, how);
    // What has no part in it is left out, so that it may be infinite.
    if (weight == 0) continue;
    taps.index.push_back(inside(element));
    taps.weight.push_back(weight);
    sum += weight;
  }
  if (sum == 0) {
    taps.index.resize(start);
    taps.weight.resize(start);
    taps.index.push_back(inside(static_cast<int64_t>(below)));
    taps.weight.push_back(1);
  } else {
    for (size_t i = start; i < taps.weight.size(); ++i) taps.weight[i] /= sum;
  }
}

}  // namespace

double ResizedAxis::length() const {
  if (in_floats) return static_cast<float>(in) * static_cast<float>(multiple);
  return static_cast<double>(in) * multiple / divisor;
}

double ResizedAxis::position(double x, Placement placement) const {
  const auto unscaled = [&](double at) -> double {
    if (in_floats) return static_cast<float>(at) / static_cast<float>(multiple);
    return at * divisor / multiple;
  };
  const auto last = static_cast<double>(in - 1);
  switch (placement) {
    case Placement::kHalfPixel:
      return unscaled(x + 0.5) - 0.5;
    case Placement::kHalfPixelSymmetric: {
      const double center = static_cast<double>(in) / 2;
      const double offset = center * (1 - static_cast<double>(out) / length());
      return offset + unscaled(x + 0.5) - 0.5;
    }
    case Placement::kPytorchHalfPixel:
      return length() == 1 ? 0 : unscaled(x + 0.5) - 0.5;
    case Placement::kTfHalfPixelForNearest:
      return unscaled(x + 0.5);
    case Placement::kAlignCorners:
      return length() == 1 ? 0 : x * last / (length() - 1);
    case Placement::kAsymmetric:
      return unscaled(x);
    case Placement::kCropAndResize: {
      if (length() == 1) return 0.5 * (region_start + region_end) * last;
      return region_start * last + x * (region_end - region_start) * last / (length() - 1);
    }
  }
  return 0;
}

bool ResizedAxis::unchanged(Placement placement) const {
  if (in != out || multiple != divisor) return false;
  return placement != Placement::kCropAndResize || (region_start == 0 && region_end == 1);
}

int64_t tap_count(const ResizedAxis& axis, const Resampling& how) {
  return how.interpolation == Interpolation::kNearest ? 1 : 2 - 2 * first_tap(axis, how);
}

Taps taps_of(const ResizedAxis& axis, const Resampling& how) {
  Taps taps;
  taps.first.push_back(0);
  const auto last = static_cast<double>(axis.in - 1);
  for (int64_t x = 0; x < axis.out; ++x) {
    const double position = axis.position(static_cast<double>(x), how.placement);
    const bool inside = position >= 0 && position <= last;
    if (inside || how.placement != Placement::kCropAndResize) {
      // Two elements beyond the ends there is nothing but more of them.
      const double near = std::clamp(std::isnan(position) ? 0 : position, -2.0, last + 2);
      if (how.interpolation == Interpolation::kNearest) {
        const int64_t element = nearest_of(near, how.nearest, axis.scale());
        taps.index.push_back(std::clamp<int64_t>(element, 0, axis.in - 1));
        taps.weight.push_back(1);
      } else {
        add_weighted(axis, how, near, taps);
      }
    }
    taps.first.push_back(static_cast<int64_t>(taps.index.size()));
  }
  return taps;
}

}  // namespace casemate::engine
