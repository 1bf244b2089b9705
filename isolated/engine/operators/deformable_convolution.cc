// SPDX-License-Identifier: Apache-2.0
// DeformConv: a convolution whose taps each lie where an offset moves them, between cells.
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/convolution.h"
#include "isolated/engine/operators/matrix_product.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// The cells around a point of an image, and how much each counts there.
template <class W>
struct Sample {
  std::array<int64_t, 1 << kWindowRank> cells;
  std::array<W, 1 << kWindowRank> weights;
  size_t count = 0;

  W of(const W* image) const {
    W sum = 0;
    for (size_t i = 0; i < count; ++i) sum += weights[i] * image[cells[i]];
    return sum;
  }
};

// Cells outside of the image are 0, as are points further outside. Offsets may be any number.
template <class W>
Sample<W> sample_at(const Window& window, const std::array<W, kWindowRank>& point) {
  Sample<W> sample{};
  sample.cells[0] = 0;
  sample.weights[0] = 1;
  sample.count = 1;
  for (uint32_t i = 0; i < window.rank; ++i) {
    const int64_t extent = window.axes[i].input;
    if (!(point[i] > -1 && point[i] < static_cast<W>(extent))) return {};
    const W floor = std::floor(point[i]);
    const auto below = static_cast<int64_t>(floor);
    const std::array<W, 2> shares = {1 - (point[i] - floor), point[i] - floor};
    Sample<W> next{};
    for (size_t k = 0; k < sample.count; ++k) {
      for (int64_t side = 0; side < 2; ++side) {
        const int64_t cell = below + side;
        if (cell < 0 || cell >= extent || shares[side] == 0) continue;
        next.cells[next.count] = sample.cells[k] * extent + cell;
        next.weights[next.count++] = sample.weights[k] * shares[side];
      }
    }
    sample = next;
  }
  return sample;
}

// Of one image: offsets [groups, taps, dimensions, positions], mask [groups, taps, positions].
template <class T>
struct Deformation {
  int64_t channels = 0;  // of the image that share an offset
  const T* offsets = nullptr;
  const T* mask = nullptr;

  // Where a tap of an offset group lies at a position of the window.
  std::array<Wide<T>, kWindowRank> point(const Window& window, int64_t row, int64_t tap,
                                         int64_t position) const {
    const int64_t positions = window.positions();
    std::array<Wide<T>, kWindowRank> point{};
    int64_t rest = position;
    for (uint32_t i = window.rank; i-- > 0;) {
      const WindowAxis& axis = window.axes[i];
      const int64_t cell = axis.cell(rest % axis.output, tap % axis.kernel);
      const T offset = offsets[(row * window.rank + i) * positions + position];
      point[i] = static_cast<Wide<T>>(cell) + static_cast<Wide<T>>(offset);
      rest /= axis.output;
      tap /= axis.kernel;
    }
    return point;
  }
};

// As unroll(), for channels [first, first + inputs) of `image`.
template <class T>
void unroll_deformed(const Grouped& g, const Deformation<T>& deformation, const Wide<T>* image,
                     int64_t first, Range block, Wide<T>* columns) {
  const int64_t taps = g.window.taps();
  const int64_t cells = g.window.cells();
  const int64_t positions = g.window.positions();
  for (int64_t channel = first; channel < first + g.inputs;) {
    const int64_t offset_group = channel / deformation.channels;
    const int64_t last = std::min((offset_group + 1) * deformation.channels, first + g.inputs);
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t row = offset_group * taps + tap;
      for (int64_t at = block.first; at < block.last; ++at) {
        const auto point = deformation.point(g.window, row, tap, at);
        const auto sample = sample_at<Wide<T>>(g.window, point);
        const auto scale =
            static_cast<Wide<T>>(deformation.mask ? deformation.mask[row * positions + at] : T(1));
        for (int64_t k = channel; k < last; ++k) {
          columns[((k - first) * taps + tap) * block.count() + at - block.first] =
              scale * sample.of(image + k * cells);
        }
      }
    }
    channel = last;
  }
}

template <class T>
void convolve(const Grouped& g, const Deformation<T>& deformation, const Wide<T>* image,
              const Wide<T>* weights, std::vector<Wide<T>>& sums) {
  const int64_t positions = g.window.positions();
  const int64_t rows = g.inputs * g.window.taps();
  const int64_t step = positions_at_once(rows, positions);
  std::vector<Wide<T>> columns(static_cast<size_t>(rows * step));
  for (int64_t group = 0; group < g.groups; ++group) {
    for (int64_t first = 0; first < positions; first += step) {
      const Range block{first, std::min(first + step, positions)};
      unroll_deformed(g, deformation, image, group * g.inputs, block, columns.data());
      multiply<Wide<T>>({.m = g.outputs,
                         .n = block.count(),
                         .k = rows,
                         .a = {weights + group * g.outputs * rows, rows},
                         .b = {columns.data(), block.count()},
                         .c = {sums.data() + group * g.outputs * positions + first, positions},
                         .accumulate = true});
    }
  }
}

// The groups of offsets that share the channels; refuses shapes that do not fit the window.
Result<int64_t> offset_groups(const Computation& c, const Grouped& g) {
  const int64_t groups = c.attributes().integer("offset_group", 1);
  const int64_t channels = g.groups * g.inputs;
  if (groups < 1 || channels % groups != 0) {
    return Error{Code::kInvalid,
                 formatted("{} groups of offsets do not divide {} channels", groups, channels)};
  }
  int64_t rows = 0;
  int64_t coordinates = 0;
  if (__builtin_mul_overflow(groups, g.window.taps(), &rows) ||
      __builtin_mul_overflow(rows, static_cast<int64_t>(g.window.rank), &coordinates)) {
    return Error{Code::kTooLarge, formatted("{} groups of offsets are too many", groups)};
  }
  const Shape offsets = g.window.output_shape(g.batch, coordinates);
  if (c.shape(2) != offsets) {
    return Error{Code::kInvalid,
                 formatted("its offsets {} need the shape {}", c.shape(2).text(), offsets.text())};
  }
  const Shape mask = g.window.output_shape(g.batch, rows);
  if (c.has(4) && c.shape(4) != mask) {
    return Error{Code::kInvalid,
                 formatted("its mask {} needs the shape {}", c.shape(4).text(), mask.text())};
  }
  return groups;
}

Status compute_deform_conv(Computation& c) {
  const Grouped g = TRY(grouped(c, c.shape(0), c.shape(1)));
  const int64_t channels = g.groups * g.outputs;
  if (c.has(3)) TRY(check_bias(c.shape(3), channels));
  const int64_t groups = TRY(offset_groups(c, g));
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, g.window.output_shape(g.batch, channels)));
    const auto x = TRY(c.values<T>(0));
    const auto weights = TRY(c.values<T>(1));
    const auto offsets = TRY(c.values<T>(2));
    const auto bias = c.has(3) ? TRY(c.values<T>(3)) : std::span<const T>();
    const auto mask = c.has(4) ? TRY(c.values<T>(4)) : std::span<const T>();
    if (y.empty()) return {};
    const int64_t more = static_cast<int64_t>(y.size()) / g.batch + Widened<T>::copies(weights) +
                         Widened<T>::copies(x);
    TRY(allow_columns<Wide<T>>(c, g.inputs * g.window.taps(), g.window.positions(), more));
    const Widened<T> wide_weights(weights);
    const auto positions = static_cast<size_t>(g.window.positions());
    const auto image = static_cast<size_t>(g.groups * g.inputs * g.window.cells());
    const auto rows = static_cast<size_t>(groups * g.window.taps()) * positions;
    std::vector<Wide<T>> sums(static_cast<size_t>(channels) * positions);
    for (size_t n = 0; n < static_cast<size_t>(g.batch); ++n) {
      for (size_t i = 0; i < sums.size(); ++i)
        sums[i] = bias.empty() ? Wide<T>{} : static_cast<Wide<T>>(bias[i / positions]);
      if (!x.empty()) {
        const Widened<T> wide_x(x.subspan(n * image, image));
        convolve<T>(g,
                    {.channels = g.groups * g.inputs / groups,
                     .offsets = offsets.data() + n * rows * g.window.rank,
                     .mask = mask.empty() ? nullptr : mask.data() + n * rows},
                    wide_x.data(), wide_weights.data(), sums);
      }
      std::ranges::transform(sums, y.begin() + static_cast<int64_t>(n * sums.size()),
                             [](Wide<T> sum) { return static_cast<T>(sum); });
    }
    return {};
  });
}

}  // namespace

void add_deformable_convolution(Operators& operators) {
  operators.add("DeformConv", compute_deform_conv);
}

}  // namespace casemate::engine
