// SPDX-License-Identifier: Apache-2.0
// Operators that make of every region of interest of an image a small one of a fixed size.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/indices.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

Status check_shapes(const Computation& c, int64_t columns) {
  if (c.shape(0).rank() == 4 && c.shape(1).rank() == 2 && c.shape(1)[1] == columns) return {};
  return Error{Code::kInvalid, formatted("regions of shape {} do not fit images of shape {}",
                                         c.shape(1).text(), c.shape(0).text())};
}

Error no_image(int64_t image, int64_t count) {
  return {Code::kInvalid, formatted("a region is of image {}, there are {}", image, count)};
}

// --- RoiAlign

// Samples of a bin along an axis that a model may ask for: no detector takes more than a few.
constexpr int64_t kSamplesMax = 128;

struct Alignment {
  bool maximum = false;
  bool half_pixel = true;
  int64_t samples = 0;  // of a bin along an axis; 0: about one per element
  float scale = 1;
};

Result<Alignment> stated_alignment(const Computation& c) {
  const std::string mode = c.attributes().text("mode", "avg");
  if (mode != "avg" && mode != "max")
    return Error{Code::kUnsupported, formatted("there is no pooling of mode '{}'", mode)};
  const std::string coordinates = c.attributes().text(
      "coordinate_transformation_mode", c.since(16) ? "half_pixel" : "output_half_pixel");
  if (coordinates != "half_pixel" && coordinates != "output_half_pixel") {
    return Error{Code::kUnsupported,
                 formatted("there are no coordinates of mode '{}'", coordinates)};
  }
  Alignment how{.maximum = mode == "max",
                .half_pixel = coordinates == "half_pixel",
                .samples = std::max<int64_t>(c.attributes().integer("sampling_ratio", 0), 0),
                .scale = c.attributes().real("spatial_scale", 1)};
  if (how.samples > kSamplesMax) {
    return Error{Code::kTooLarge, formatted("{} samples of a bin are over the limit of {}",
                                            how.samples, kSamplesMax)};
  }
  return how;
}

// A sample along one axis: between two elements.
template <class W>
struct Between {
  int64_t low = 0;
  int64_t high = 0;
  W part = 0;  // of the higher one
};

// The samples of one bin along one axis. Those outside of the image are zeros, and only counted.
template <class W>
struct BinSamples {
  int64_t count = 0;
  std::vector<Between<W>> inside;
};

template <class W>
BinSamples<W> samples_of(W start, W bin, int64_t index, int64_t samples, int64_t extent) {
  BinSamples<W> found{.count = samples, .inside = {}};
  const W first = start + static_cast<W>(index) * bin;
  const W step = bin / static_cast<W>(samples);
  const auto last = static_cast<W>(extent);
  int64_t begin = 0;
  int64_t end = samples;
  if (samples > kSamplesMax) {
    // A region may be far larger than the image: what is outside is not walked through.
    const auto count_to = [&](W position) {
      const W at = (position - first) / step;
      return at > 0 ? static_cast<int64_t>(std::min(at, static_cast<W>(samples))) : 0;
    };
    begin = std::max<int64_t>(count_to(-1) - 1, 0);
    end = std::min<int64_t>(count_to(last) + 2, samples);
  }
  for (int64_t i = begin; i < end; ++i) {
    W position = first + (static_cast<W>(i) + W{0.5}) * step;
    if (!(position >= -1 && position <= last)) continue;
    position = std::max<W>(position, 0);
    const int64_t low = std::min(static_cast<int64_t>(position), extent - 1);
    const int64_t high = std::min(low + 1, extent - 1);
    found.inside.push_back({low, high, high == low ? W{0} : position - static_cast<W>(low)});
  }
  return found;
}

// The samples of all bins of a region along one axis.
template <class W>
std::vector<BinSamples<W>> bins_of(W start, W end, const Alignment& how, int64_t bins,
                                   int64_t extent) {
  constexpr double kMany = 0x1p31;
  const W offset = how.half_pixel ? W{0.5} : W{0};
  start = start * static_cast<W>(how.scale) - offset;
  end = end * static_cast<W>(how.scale) - offset;
  // Before half pixels were thought of, a region had at least one element.
  const W size = how.half_pixel ? end - start : std::max<W>(1, end - start);
  const W bin = size / static_cast<W>(bins);
  int64_t samples = how.samples;
  if (samples == 0 && bin > 0)
    samples = static_cast<int64_t>(std::min(std::ceil(static_cast<double>(bin)), kMany));
  std::vector<BinSamples<W>> found;
  for (int64_t i = 0; i < bins; ++i) found.push_back(samples_of(start, bin, i, samples, extent));
  return found;
}

template <class T>
T pooled(const T* image, int64_t width, const BinSamples<Wide<T>>& rows,
         const BinSamples<Wide<T>>& columns, bool maximum) {
  using W = Wide<T>;
  const auto inside = static_cast<W>(rows.inside.size()) * static_cast<W>(columns.inside.size());
  const W count = static_cast<W>(rows.count) * static_cast<W>(columns.count);
  W sum{};
  // Samples outside of the image are zeros.
  bool first = inside == count;
  W highest{};
  for (const Between<W>& y : rows.inside) {
    for (const Between<W>& x : columns.inside) {
      const auto part = [&](int64_t row, int64_t column, W weight) {
        return weight * static_cast<W>(image[row * width + column]);
      };
      const std::array parts = {part(y.low, x.low, (1 - y.part) * (1 - x.part)),
                                part(y.low, x.high, (1 - y.part) * x.part),
                                part(y.high, x.low, y.part * (1 - x.part)),
                                part(y.high, x.high, y.part * x.part)};
      sum += parts[0] + parts[1] + parts[2] + parts[3];
      // The highest of the parts, not of their sums: so it is defined.
      const W value = *std::ranges::max_element(parts);
      highest = first ? value : std::max(highest, value);
      first = false;
    }
  }
  return static_cast<T>(maximum ? highest : sum / std::max<W>(count, 1));
}

template <class T>
Status align_regions(Computation& c, Tensor& y, const Alignment& how) {
  using W = Wide<T>;
  const Shape& x = c.shape(0);
  const auto in = TRY(c.values<T>(0));
  const auto regions = TRY(c.values<T>(1));
  const Indices images = TRY(Indices::of(c, 2));
  const Shape& shape = y.shape();
  T* out = y.values<T>().data();
  for (size_t i = 0; i < images.count(); ++i) {
    const int64_t image = images[i];
    if (image < 0 || image >= x[0]) return no_image(image, x[0]);
    const T* region = regions.data() + 4 * i;
    const auto columns =
        bins_of(static_cast<W>(region[0]), static_cast<W>(region[2]), how, shape[3], x[3]);
    const auto rows =
        bins_of(static_cast<W>(region[1]), static_cast<W>(region[3]), how, shape[2], x[2]);
    for (int64_t channel = 0; channel < x[1]; ++channel) {
      const T* plane = in.data() + (image * x[1] + channel) * x[2] * x[3];
      for (const auto& row : rows) {
        for (const auto& column : columns)
          *out++ = pooled<T>(plane, x[3], row, column, how.maximum);
      }
    }
  }
  return {};
}

Status compute_roi_align(Computation& c) {
  TRY(check_shapes(c, 4));
  const Alignment how = TRY(stated_alignment(c));
  const Shape& x = c.shape(0);
  const int64_t count = c.shape(1)[0];
  const int64_t height = c.attributes().integer("output_height", 1);
  const int64_t width = c.attributes().integer("output_width", 1);
  if (height < 1 || width < 1 || c.shape(2) != Shape{count}) {
    return Error{Code::kInvalid, formatted("{} regions of images {} cannot be made {}x{}", count,
                                           c.shape(2).text(), height, width)};
  }
  Tensor& y = *TRY(c.make(0, c.type(0), TRY(shape_of(std::array{count, x[1], height, width}))));
  if (y.count() == 0) return {};
  if (x[2] == 0 || x[3] == 0) return Error{Code::kInvalid, "its images have no elements"};
  // Bins and their samples, of both axes; an adaptive one has about two per element.
  const auto samples = static_cast<uint64_t>(std::max<int64_t>(how.samples, 1));
  const auto bins = static_cast<uint64_t>(height) + static_cast<uint64_t>(width);
  const uint64_t entries = bins * (samples + 2) + 2 * static_cast<uint64_t>(x[2] + x[3]);
  TRY(c.allow(entries * sizeof(Between<double>)));
  return for_type(Floats{}, c.type(0),
                  [&]<class T>() -> Status { return align_regions<T>(c, y, how); });
}

// --- MaxRoiPool

// A region along one axis, in whole elements.
struct Span {
  int64_t start = 0;
  int64_t size = 1;

  static Span of(float from, float to, float scale) {
    // Far beyond every image; not a number is nowhere.
    const auto whole = [&](float value) {
      const float scaled = std::round(value * scale);
      return std::isnan(scaled) ? 0 : static_cast<int64_t>(std::clamp(scaled, -0x1p40F, 0x1p40F));
    };
    const int64_t start = whole(from);
    return {start, std::max<int64_t>(whole(to) - start + 1, 1)};
  }
  // The part of it that makes one of so many bins, cut at the image's ends.
  [[nodiscard]] std::pair<int64_t, int64_t> bin(int64_t index, int64_t bins, int64_t extent) const {
    const float each = static_cast<float>(size) / static_cast<float>(bins);
    const auto from = static_cast<int64_t>(std::floor(static_cast<float>(index) * each));
    const auto to = static_cast<int64_t>(std::ceil(static_cast<float>(index + 1) * each));
    return {std::clamp<int64_t>(from + start, 0, extent),
            std::clamp<int64_t>(to + start, 0, extent)};
  }
};

template <class T>
T highest(const T* image, int64_t width, std::pair<int64_t, int64_t> rows,
          std::pair<int64_t, int64_t> columns) {
  if (rows.first >= rows.second || columns.first >= columns.second) return T{};
  T found = image[rows.first * width + columns.first];
  for (int64_t row = rows.first; row < rows.second; ++row) {
    for (int64_t column = columns.first; column < columns.second; ++column)
      found = std::max(found, image[row * width + column]);
  }
  return found;
}

template <class T>
Status pool_regions(Computation& c, Tensor& y, float scale) {
  const Shape& x = c.shape(0);
  const auto in = TRY(c.values<T>(0));
  const auto regions = TRY(c.values<T>(1));
  const Shape& shape = y.shape();
  T* out = y.values<T>().data();
  for (int64_t i = 0; i < shape[0]; ++i) {
    const T* stated = regions.data() + 5 * i;
    std::array<float, 5> region{};
    std::transform(stated, stated + 5, region.begin(), [](T v) { return static_cast<float>(v); });
    if (!(region[0] >= 0 && region[0] < static_cast<float>(x[0])))
      return Error{Code::kInvalid,
                   formatted("a region is of image {}, there are {}", region[0], x[0])};
    const T* image = in.data() + static_cast<int64_t>(region[0]) * x[1] * x[2] * x[3];
    const Span columns = Span::of(region[1], region[3], scale);
    const Span rows = Span::of(region[2], region[4], scale);
    for (int64_t channel = 0; channel < x[1]; ++channel, image += x[2] * x[3]) {
      for (int64_t row = 0; row < shape[2]; ++row) {
        const auto some_rows = rows.bin(row, shape[2], x[2]);
        for (int64_t column = 0; column < shape[3]; ++column)
          *out++ = highest(image, x[3], some_rows, columns.bin(column, shape[3], x[3]));
      }
    }
  }
  return {};
}

Status compute_max_roi_pool(Computation& c) {
  TRY(check_shapes(c, 5));
  const auto pooled = c.attributes().integers("pooled_shape");
  if (pooled.size() != 2 || pooled[0] < 1 || pooled[1] < 1)
    return Error{Code::kInvalid, "its pooled shape is no height and width"};
  const Shape shape = TRY(shape_of(std::array{c.shape(1)[0], c.shape(0)[1], pooled[0], pooled[1]}));
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  if (y.count() == 0) return {};
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    return pool_regions<T>(c, y, c.attributes().real("spatial_scale", 1));
  });
}

}  // namespace

void add_roi(Operators& operators) {
  operators.add("RoiAlign", compute_roi_align);
  operators.add("MaxRoiPool", compute_max_roi_pool);
}

}  // namespace casemate::engine
