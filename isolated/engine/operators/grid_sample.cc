// SPDX-License-Identifier: Apache-2.0
// GridSample, which reads an image at positions that a grid states, and AffineGrid, which makes
// such grids. In both -1 and 1 stand for the ends of an axis.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

enum class Sampling : uint8_t { kNearest, kLinear, kCubic };
enum class Border : uint8_t { kZeros, kNearest, kReflected };

struct Style {
  Sampling sampling = Sampling::kLinear;
  Border border = Border::kZeros;
  bool align_corners = false;
  bool in_floats = true;  // positions are computed in floats, as their grid is
};

Result<Style> stated_style(const Computation& c) {
  Style style{.align_corners = c.attributes().integer("align_corners", 0) != 0,
              .in_floats = c.type(1) != ElementType::kFloat64};
  // Before version 20 the modes are named for images of two axes.
  const std::string mode = c.attributes().text("mode", "linear");
  if (mode == "nearest") {
    style.sampling = Sampling::kNearest;
  } else if (mode == "cubic" || mode == "bicubic") {
    style.sampling = Sampling::kCubic;
  } else if (mode != "linear" && mode != "bilinear") {
    return Error{Code::kUnsupported, formatted("there is no sampling of mode '{}'", mode)};
  }
  const std::string padding = c.attributes().text("padding_mode", "zeros");
  if (padding == "border") {
    style.border = Border::kNearest;
  } else if (padding == "reflection") {
    style.border = Border::kReflected;
  } else if (padding != "zeros") {
    return Error{Code::kUnsupported, formatted("there is no padding of mode '{}'", padding)};
  }
  return style;
}

// One axis of the image.
class SampledAxis {
 public:
  SampledAxis(int64_t extent, const Style& style)
      : extent_(extent),
        style_(style),
        low_(style.align_corners ? 0 : -0.5),
        high_(static_cast<double>(extent) - (style.align_corners ? 1 : 0.5)) {}

  // Where in the image that coordinate is.
  [[nodiscard]] double position(double coordinate) const {
    const double at = style_.in_floats ? static_cast<double>(scaled<float>(coordinate))
                                       : scaled<double>(coordinate);
    // Not a number is nowhere: outside of what has zeros around it, somewhere else at its start.
    if (std::isnan(at)) return style_.border == Border::kZeros ? -kFar : 0;
    return std::clamp(at, -kFar, kFar);
  }
  // Ditto, once what is outside was brought in where it belongs.
  [[nodiscard]] double inside(double at) const {
    if (at >= low_ && at <= high_) return at;
    if (style_.border == Border::kNearest)
      return std::clamp(at, 0.0, static_cast<double>(extent_ - 1));
    return style_.border == Border::kReflected ? reflected(at) : at;
  }
  // The element that stands for a position between elements; -1 for a zero.
  [[nodiscard]] int64_t element(double at) const {
    if (at >= 0 && at < static_cast<double>(extent_)) return static_cast<int64_t>(at);
    if (style_.border == Border::kZeros) return -1;
    const double found = style_.border == Border::kReflected ? reflected(at) : at;
    return std::clamp<int64_t>(static_cast<int64_t>(found), 0, extent_ - 1);
  }

 private:
  static constexpr double kFar = 0x1p52;

  template <class Real>
  [[nodiscard]] Real scaled(double coordinate) const {
    const auto n = static_cast<Real>(coordinate);
    const auto extent = static_cast<Real>(extent_);
    if (style_.align_corners) return (n + 1) / 2 * (extent - 1);
    return ((n + 1) * extent - 1) / 2;
  }
  // As between two mirrors at the ends.
  [[nodiscard]] double reflected(double at) const {
    const double range = high_ - low_;
    if (range <= 0) return low_;
    const double distance = std::fmod(std::abs(at - low_), 2 * range);
    return low_ + (distance <= range ? distance : 2 * range - distance);
  }

  int64_t extent_;
  Style style_;
  double low_;
  double high_;
};

// An element and its part in a sample.
struct Part {
  int64_t offset = 0;
  double weight = 1;
};

// The elements along one axis that make a sample, -1 among them for zeros.
struct Along {
  std::array<int64_t, 4> element{};
  std::array<double, 4> weight{};
  size_t count = 0;
};

// Keys' kernel at -1 - x, -x, 1 - x and 2 - x.
std::array<double, 4> cubic_weights(double x) {
  constexpr double kA = -0.75;
  const auto near = [](double d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
  const auto far = [](double d) { return ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
  return {far(x + 1), near(x), near(1 - x), far(2 - x)};
}

Along along(const SampledAxis& axis, const Style& style, double coordinate) {
  double at = axis.position(coordinate);
  if (style.sampling == Sampling::kNearest) {
    at = axis.inside(std::nearbyint(at));
    return {.element = {axis.element(std::trunc(at))}, .weight = {1}, .count = 1};
  }
  at = axis.inside(at);
  const double below = std::floor(at);
  Along found;
  if (style.sampling == Sampling::kLinear) {
    found = {.element = {}, .weight = {1 - (at - below), at - below}, .count = 2};
    for (size_t i = 0; i < 2; ++i) found.element[i] = axis.element(below + static_cast<double>(i));
  } else {
    found = {.element = {}, .weight = cubic_weights(at - below), .count = 4};
    for (size_t i = 0; i < 4; ++i)
      found.element[i] = axis.element(below + static_cast<double>(i) - 1);
  }
  return found;
}

class Sampler {
 public:
  Sampler(const Shape& image, const Style& style) : style_(style), steps_(dense_steps(image)) {
    for (const int64_t extent : image.dims()) axes_.emplace_back(extent, style);
  }

  // What makes the sample at a point of the grid, which states the last axis first.
  std::span<const Part> at(std::span<const double> point) {
    parts_.assign(1, Part{});
    for (size_t i = 0; i < axes_.size(); ++i) {
      const Along found = along(axes_[i], style_, point[axes_.size() - 1 - i]);
      next_.clear();
      for (const Part& part : parts_) {
        for (size_t j = 0; j < found.count; ++j) {
          if (found.element[j] < 0 || found.weight[j] == 0) continue;
          next_.push_back({.offset = part.offset + found.element[j] * steps_[i],
                           .weight = part.weight * found.weight[j]});
        }
      }
      parts_.swap(next_);
    }
    return parts_;
  }

 private:
  Style style_;
  Steps steps_;
  std::vector<SampledAxis> axes_;
  std::vector<Part> parts_;
  std::vector<Part> next_;
};

// Calls `sample(image, point, parts)` for every image and every point of its grid.
template <class Sample>
Status for_each_sample(Computation& c, const Style& style, Sample sample) {
  const Shape& x = c.shape(0);
  const size_t axes = x.rank() - size_t{2};
  Sampler sampler(Shape(x.dims().subspan(2)), style);
  const int64_t points = count_of(c.shape(1), 1, c.shape(1).rank() - 1);
  std::vector<double> point(axes);
  return for_type(Floats{}, c.type(1), [&]<class T>() -> Status {
    const T* grid = TRY(c.values<T>(1)).data();
    for (int64_t image = 0; image < x[0]; ++image) {
      for (int64_t i = 0; i < points; ++i, grid += axes) {
        std::transform(grid, grid + axes, point.begin(),
                       [](T value) { return static_cast<double>(value); });
        sample(image, i, sampler.at(point));
      }
    }
    return {};
  });
}

Result<Shape> sampled_shape(const Computation& c) {
  const Shape& x = c.shape(0);
  const Shape& grid = c.shape(1);
  if (x.rank() < 3 || grid.rank() != x.rank() || grid[0] != x[0] ||
      grid[grid.rank() - 1] != x.rank() - 2) {
    return Error{Code::kInvalid, formatted("a grid of shape {} does not fit an input of shape {}",
                                           grid.text(), x.text())};
  }
  Shape shape = x;
  for (uint32_t i = 2; i < x.rank(); ++i) shape[i] = grid[i - 1];
  TRY(shape.element_count());
  if (count_of(x) == 0 && count_of(shape) != 0) {
    return Error{Code::kInvalid, formatted("an input of shape {} has nothing to sample", x.text())};
  }
  return shape;
}

Status compute_grid_sample(Computation& c) {
  const Style style = TRY(stated_style(c));
  const Shape shape = TRY(sampled_shape(c));
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  if (y.count() == 0) return {};
  const int64_t channels = shape[1];
  const int64_t points = count_of(shape, 2, shape.rank());
  const int64_t elements = count_of(c.shape(0), 2, shape.rank());
  if (style.sampling == Sampling::kNearest) {
    Mover mover(c, c.type(0));
    const uint8_t* from = TRY(mover.from(0));
    uint8_t* to = mover.to(y);
    TRY(for_width(mover.width(), [&]<class E>() {
      return for_each_sample(c, style, [&](int64_t image, int64_t point, auto parts) {
        const E* in = elements_at<E>(from) + image * channels * elements;
        E* out = elements_at<E>(to) + image * channels * points + point;
        for (int64_t i = 0; i < channels; ++i)
          out[i * points] = parts.empty() ? E{} : in[i * elements + parts[0].offset];
      });
    }));
    return mover.done();
  }
  return for_type(Numbers{}, c.type(0), [&]<class T>() -> Status {
    using W = std::conditional_t<kFloating<T> && !std::is_same_v<T, double>, float, double>;
    const T* in = TRY(c.values<T>(0)).data();
    T* out = y.values<T>().data();
    return for_each_sample(c, style, [&](int64_t image, int64_t point, auto parts) {
      for (int64_t i = image * channels; i < (image + 1) * channels; ++i) {
        W sum{};
        for (const Part& part : parts)
          sum += static_cast<W>(part.weight) * static_cast<W>(in[i * elements + part.offset]);
        out[i * points + point] = converted<T>(sum);
      }
    });
  });
}

// The coordinates of an axis, from one end to the other: of its elements' centers, or corners.
template <class W>
std::vector<W> axis_coordinates(int64_t extent, bool align_corners) {
  std::vector<W> coordinates(static_cast<size_t>(extent));
  const auto count = static_cast<double>(extent);
  for (size_t i = 0; i < coordinates.size(); ++i) {
    const auto at = static_cast<double>(i);
    // A single corner is in the middle.
    const double aligned = extent == 1 ? 0 : 2 * at / (count - 1) - 1;
    coordinates[i] = static_cast<W>(align_corners ? aligned : (2 * at + 1) / count - 1);
  }
  return coordinates;
}

// Transforms each point of a grid by a matrix of one row per axis, whose last column is added.
template <class T>
void transform_points(std::span<const std::vector<Wide<T>>> axes, const T* matrix, T* out) {
  using W = Wide<T>;
  const size_t n = axes.size();
  std::array<size_t, 3> index{};
  std::array<W, 3> point{};
  size_t total = 1;
  for (const auto& axis : axes) total *= axis.size();
  for (size_t i = 0; i < total; ++i) {
    // The last axis comes first in a point.
    for (size_t j = 0; j < n; ++j) point[n - 1 - j] = axes[j][index[j]];
    for (size_t row = 0; row < n; ++row) {
      const T* line = matrix + row * (n + 1);
      W sum = static_cast<W>(line[n]);
      for (size_t j = 0; j < n; ++j) sum += static_cast<W>(line[j]) * point[j];
      *out++ = static_cast<T>(sum);
    }
    for (size_t j = n; j-- > 0 && ++index[j] == axes[j].size();) index[j] = 0;
  }
}

Status compute_affine_grid(Computation& c) {
  const auto size = TRY(c.integers(1));
  const Shape& theta = c.shape(0);
  const size_t n = size.size() - 2;  // axes of the image
  if ((size.size() != 4 && size.size() != 5) ||
      theta != Shape{size[0], static_cast<int64_t>(n), static_cast<int64_t>(n) + 1}) {
    return Error{Code::kInvalid,
                 formatted("matrices of shape {} do not fit {} extents of a batch of images",
                           theta.text(), size.size())};
  }
  std::vector<int64_t> extents = {size[0]};
  extents.insert(extents.end(), size.begin() + 2, size.end());
  extents.push_back(static_cast<int64_t>(n));
  const Shape shape = TRY(shape_of(extents));
  const bool align_corners = c.attributes().integer("align_corners", 0) != 0;
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  if (y.count() == 0) return {};
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const T* matrix = TRY(c.values<T>(0)).data();
    T* out = y.values<T>().data();
    std::vector<std::vector<Wide<T>>> axes;
    for (size_t i = 0; i < n; ++i)
      axes.push_back(axis_coordinates<Wide<T>>(size[i + 2], align_corners));
    for (int64_t image = 0; image < size[0]; ++image) {
      transform_points<T>(axes, matrix, out);
      matrix += n * (n + 1);
      out += count_of(shape, 1, shape.rank());
    }
    return {};
  });
}

}  // namespace

void add_grid_sample(Operators& operators) {
  operators.add("GridSample", compute_grid_sample);
  operators.add("AffineGrid", compute_affine_grid);
}

}  // namespace casemate::engine
