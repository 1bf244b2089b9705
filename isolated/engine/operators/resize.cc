// SPDX-License-Identifier: Apache-2.0
// Resize, and Upsample, which it took the place of.
#include "isolated/engine/operators/resize.h"

#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

// --- what a model asks for

Result<Interpolation> stated_interpolation(const Computation& c) {
  const std::string mode = c.attributes().text("mode", "nearest");
  if (mode == "nearest") return Interpolation::kNearest;
  if (mode == "linear" || mode == "bilinear") return Interpolation::kLinear;
  if (mode == "cubic" && c.since(11)) return Interpolation::kCubic;
  return Error{Code::kUnsupported, formatted("there is no interpolation of mode '{}'", mode)};
}

Result<Placement> stated_placement(const Computation& c) {
  const std::string mode = c.attributes().text("coordinate_transformation_mode", "half_pixel");
  if (mode == "half_pixel") return Placement::kHalfPixel;
  if (mode == "half_pixel_symmetric") return Placement::kHalfPixelSymmetric;
  if (mode == "pytorch_half_pixel") return Placement::kPytorchHalfPixel;
  if (mode == "tf_half_pixel_for_nn") return Placement::kTfHalfPixelForNearest;
  if (mode == "align_corners") return Placement::kAlignCorners;
  if (mode == "asymmetric") return Placement::kAsymmetric;
  if (mode == "tf_crop_and_resize") return Placement::kCropAndResize;
  return Error{Code::kUnsupported, formatted("there are no coordinates of mode '{}'", mode)};
}

Result<Nearest> stated_nearest(const Computation& c) {
  const std::string mode = c.attributes().text("nearest_mode", "round_prefer_floor");
  if (mode == "round_prefer_floor") return Nearest::kRoundPreferFloor;
  if (mode == "round_prefer_ceil") return Nearest::kRoundPreferCeil;
  if (mode == "floor") return Nearest::kFloor;
  if (mode == "ceil") return Nearest::kCeil;
  return Error{Code::kUnsupported, formatted("there is no nearest mode '{}'", mode)};
}

Result<Resampling> stated_resampling(const Computation& c) {
  Resampling how{.interpolation = TRY(stated_interpolation(c))};
  if (c.node().op == "Upsample") return how;
  how.nearest = Nearest::kByDirection;
  if (!c.since(11)) return how;
  how.nearest = TRY(stated_nearest(c));
  how.placement = TRY(stated_placement(c));
  how.cubic_coefficient = c.attributes().real("cubic_coeff_a", -0.75F);
  how.exclude_outside = c.attributes().integer("exclude_outside", 0) != 0;
  how.extrapolation = c.attributes().real("extrapolation_value", 0);
  how.antialias = c.attributes().integer("antialias", 0) != 0;
  if (how.antialias && how.interpolation == Interpolation::kNearest)
    return Error{Code::kInvalid, "the nearest element has no antialiasing"};
  return how;
}

// A list with one number per resized axis.
Status check_count(const char* what, size_t count, size_t wanted) {
  if (count == wanted) return {};
  return Error{Code::kInvalid, formatted("it has {} {} for {} axes", count, what, wanted)};
}

Status set_scale(ResizedAxis& axis, float scale, bool grow) {
  if (!std::isfinite(scale) || scale <= 0 || (grow && scale < 1))
    return Error{Code::kInvalid, formatted("a scale of {} has no meaning", scale)};
  axis.multiple = scale;
  axis.in_floats = true;
  const float length = std::floor(static_cast<float>(axis.in) * scale);
  if (length > 0x1p62F)
    return Error{Code::kTooLarge, formatted("a scale of {} is too large", scale)};
  axis.out = static_cast<int64_t>(length);
  return {};
}

Status set_scales(Computation& c, std::span<const float> scales, std::span<const uint32_t> axes,
                  std::vector<ResizedAxis>& resized) {
  TRY(check_count("scales", scales.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i)
    TRY(set_scale(resized[axes[i]], scales[i], c.node().op == "Upsample"));
  return {};
}

Status set_sizes(Computation& c, std::span<const int64_t> sizes, std::span<const uint32_t> axes,
                 std::vector<ResizedAxis>& resized) {
  TRY(check_count("sizes", sizes.size(), axes.size()));
  const std::string policy = c.attributes().text("keep_aspect_ratio_policy", "stretch");
  const ResizedAxis* decisive = nullptr;
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = resized[axes[i]];
    if (sizes[i] < 0 || (axis.in == 0 && sizes[i] != 0)) {
      return Error{Code::kInvalid,
                   formatted("an extent of {} cannot be made {}", axis.in, sizes[i])};
    }
    axis.out = sizes[i];
    axis.multiple = axis.in == 0 ? 1 : static_cast<double>(sizes[i]);
    axis.divisor = axis.in == 0 ? 1 : static_cast<double>(axis.in);
    const bool larger = decisive != nullptr && axis.scale() > decisive->scale();
    const bool smaller = decisive != nullptr && axis.scale() < decisive->scale();
    if (decisive == nullptr || (policy == "not_larger" ? smaller : larger)) decisive = &axis;
  }
  if (policy == "stretch" || decisive == nullptr) return {};
  if (policy != "not_larger" && policy != "not_smaller")
    return Error{Code::kUnsupported, formatted("there is no policy '{}' of aspects", policy)};
  const ResizedAxis chosen = *decisive;
  for (const uint32_t i : axes) {
    ResizedAxis& axis = resized[i];
    axis.multiple = chosen.multiple;
    axis.divisor = chosen.divisor;
    const double length = std::floor(axis.length() + 0.5);
    if (!(length <= 0x1p62)) return Error{Code::kTooLarge, "the scale that it keeps is too large"};
    axis.out = static_cast<int64_t>(length);
  }
  return {};
}

Result<std::vector<float>> scales_of(Computation& c, size_t input) {
  const auto values = TRY(c.values<float>(input));
  return std::vector<float>(values.begin(), values.end());
}

// Upsample, and Resize before version 11: scales of all axes.
Result<std::vector<float>> early_scales(Computation& c) {
  if (c.node().op == "Resize" || c.since(9)) return scales_of(c, 1);
  if (c.since(7)) return c.attributes().reals("scales");
  return std::vector<float>{1, 1, c.attributes().real("height_scale", 0),
                            c.attributes().real("width_scale", 0)};
}

struct Resizing {
  std::vector<uint32_t> axes;
  std::vector<ResizedAxis> resized;  // all of the input's
};

Result<Resizing> stated_resizing(Computation& c) {
  const Shape& x = c.shape(0);
  std::vector<int64_t> axes(x.rank());
  std::iota(axes.begin(), axes.end(), 0);
  if (c.since(18) && c.attributes().has("axes")) axes = c.attributes().integers("axes");
  Resizing resizing{.axes = TRY(axes_of(axes, x.rank())), .resized = {}};
  for (const int64_t extent : x.dims()) resizing.resized.push_back({.in = extent, .out = extent});
  if (c.node().op == "Upsample" || !c.since(11)) {
    TRY(set_scales(c, TRY(early_scales(c)), resizing.axes, resizing.resized));
    return resizing;
  }
  // An empty list is as good as none.
  const bool by_scales = c.has(2) && c.shape(2) != Shape{0};
  const bool by_sizes = c.has(3) && c.shape(3) != Shape{0};
  if (by_scales == by_sizes)
    return Error{Code::kInvalid, "it takes either scales or sizes, and has both or none"};
  if (by_scales) {
    TRY(set_scales(c, TRY(scales_of(c, 2)), resizing.axes, resizing.resized));
  } else {
    TRY(set_sizes(c, TRY(c.integers(3)), resizing.axes, resizing.resized));
  }
  return resizing;
}

// The region: starts of the resized axes, then their ends.
Status set_region(Computation& c, Resizing& resizing) {
  const auto region = TRY(reals(c, 1));
  const size_t count = resizing.axes.size();
  TRY(check_count("ends of regions", region.size(), 2 * count));
  for (size_t i = 0; i < count; ++i) {
    resizing.resized[resizing.axes[i]].region_start = region[i];
    resizing.resized[resizing.axes[i]].region_end = region[count + i];
  }
  return {};
}

// --- how it is done

// The extrapolation value as one element of the output.
Result<Tensor> outside_value(ElementType type, float value) {
  Result<Tensor> element = Tensor::zeros(type, {});
  if (type == ElementType::kString || type == ElementType::kBool) return element;
  TRY(for_type(Numbers{}, type, [&]<class T>() -> Status {
    element = Tensor::of<T>({}, {converted<T>(value)});
    return {};
  }));
  return element;
}

// Copies, for every position of the output, the one element that it is made of.
template <class E>
struct NearestCopy {
  std::span<const Taps> taps;  // of all axes up to the last that changes
  Steps read{};
  Steps write{};
  E outside{};

  void copy(size_t axis, const E* x, E* y) const {
    const Taps& here = taps[axis];
    for (size_t i = 0; i + 1 < here.first.size(); ++i, y += write[axis]) {
      if (here.first[i] == here.first[i + 1]) {
        std::fill_n(y, write[axis], outside);
        continue;
      }
      const E* source = x + here.index[static_cast<size_t>(here.first[i])] * read[axis];
      if (axis + 1 == taps.size()) {
        std::copy_n(source, write[axis], y);
      } else {
        copy(axis + 1, source, y);
      }
    }
  }
};

Status resize_nearest(Computation& c, Tensor& y, std::span<const Taps> taps, float extrapolation) {
  const Tensor outside = TRY(outside_value(c.type(0), extrapolation));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  const uint8_t* fill = TRY(mover.from(outside));
  uint8_t* to = mover.to(y);
  return for_width(mover.width(), [&]<class E>() -> Status {
    const NearestCopy<E> nearest{.taps = taps,
                                 .read = dense_steps(c.shape(0)),
                                 .write = dense_steps(y.shape()),
                                 .outside = *elements_at<E>(fill)};
    if (taps.empty() || taps.front().first.empty()) {
      std::copy_n(elements_at<E>(from), y.count(), elements_at<E>(to));
    } else {
      nearest.copy(0, elements_at<E>(from), elements_at<E>(to));
    }
    return mover.done();
  });
}

// One axis resized: `outer` times `in` runs of `inner` elements become `outer` times as many runs
// as there are positions.
template <class W>
std::vector<W> resized_along(std::span<const W> x, int64_t outer, int64_t in, int64_t inner,
                             const Taps& taps) {
  const int64_t out = std::ssize(taps.first) - 1;
  std::vector<W> y(static_cast<size_t>(outer * out * inner));
  W* row = y.data();
  for (int64_t i = 0; i < outer; ++i) {
    const W* from = x.data() + i * in * inner;
    for (size_t j = 0; j < static_cast<size_t>(out); ++j, row += inner) {
      for (auto tap = static_cast<size_t>(taps.first[j]);
           tap < static_cast<size_t>(taps.first[j + 1]); ++tap) {
        const auto weight = static_cast<W>(taps.weight[tap]);
        const W* source = from + taps.index[tap] * inner;
        for (int64_t k = 0; k < inner; ++k) row[k] += weight * source[k];
      }
    }
  }
  return y;
}

// Sets what lies outside of the region along an axis.
template <class T>
void fill_outside(std::span<T> y, const Shape& shape, uint32_t axis, const Taps& taps, T value) {
  const int64_t inner = count_of(shape, axis + 1, shape.rank());
  for (int64_t run = 0; run < std::ssize(y) / inner; ++run) {
    if (taps.outside(run % shape[axis])) std::fill_n(y.data() + run * inner, inner, value);
  }
}

template <class T>
Status resize_weighted(Computation& c, Tensor& y, const Resizing& resizing,
                       std::span<const Taps> taps, float extrapolation) {
  // Integers of 32 bits and more do not fit into floats.
  using W = std::conditional_t<kFloating<T> && !std::is_same_v<T, double>, float, double>;
  const Tensor* x = TRY(c.tensor(0));
  // Axes that shrink come first: nothing on the way is larger than both input and output.
  std::vector<uint32_t> order(taps.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](uint32_t axis) {
    const ResizedAxis& resized = resizing.resized[axis];
    return static_cast<double>(resized.out) / static_cast<double>(resized.in);
  });
  TRY(c.allow(2 * std::max(x->count(), y.count()) * sizeof(W)));
  std::vector<W> values;
  values.reserve(x->count());
  for (const T value : x->values<T>()) values.push_back(static_cast<W>(value));
  Shape shape = x->shape();
  for (const uint32_t axis : order) {
    if (taps[axis].first.empty()) continue;
    values = resized_along<W>(values, count_of(shape, 0, axis), shape[axis],
                              count_of(shape, axis + 1, shape.rank()), taps[axis]);
    shape[axis] = y.shape()[axis];
  }
  const std::span<T> out = y.values<T>();
  std::ranges::transform(values, out.begin(), [](W value) { return converted<T>(value); });
  for (uint32_t axis = 0; axis < taps.size(); ++axis) {
    if (!taps[axis].first.empty())
      fill_outside<T>(out, shape, axis, taps[axis], converted<T>(extrapolation));
  }
  return {};
}

// Taps of every axis. One that stays as it is has none at all, but where a nearest element is
// copied and an axis behind it changes.
Result<std::vector<Taps>> all_taps(Computation& c, const Resizing& resizing,
                                   const Resampling& how) {
  std::vector<Taps> taps(resizing.resized.size());
  bool copied = false;
  for (size_t i = taps.size(); i-- > 0;) {
    ResizedAxis axis = resizing.resized[i];
    const bool unchanged = axis.unchanged(how.placement);
    if (unchanged && !copied) continue;
    copied = how.interpolation == Interpolation::kNearest;
    const auto count = static_cast<uint64_t>(tap_count(axis, how));
    TRY(c.allow(static_cast<uint64_t>(axis.out) * (2 * count + 1) * sizeof(int64_t)));
    taps[i] = taps_of(axis, unchanged ? Resampling{} : how);
  }
  if (copied) {
    while (taps.back().first.empty()) taps.pop_back();
  }
  return taps;
}

Status compute_resize(Computation& c) {
  const Resampling how = TRY(stated_resampling(c));
  Resizing resizing = TRY(stated_resizing(c));
  std::vector<int64_t> extents;
  for (const ResizedAxis& axis : resizing.resized) extents.push_back(axis.out);
  Tensor& y = *TRY(c.make(0, c.type(0), TRY(shape_of(extents))));
  if (how.placement == Placement::kCropAndResize) TRY(set_region(c, resizing));
  if (y.count() == 0) return {};
  const std::vector<Taps> taps = TRY(all_taps(c, resizing, how));
  if (how.interpolation == Interpolation::kNearest)
    return resize_nearest(c, y, taps, how.extrapolation);
  return for_type(Numbers{}, c.type(0), [&]<class T>() -> Status {
    return resize_weighted<T>(c, y, resizing, taps, how.extrapolation);
  });
}

}  // namespace

void add_resize(Operators& operators) {
  operators.add("Resize", compute_resize);
  operators.add("Upsample", compute_resize);
}

}  // namespace casemate::engine
