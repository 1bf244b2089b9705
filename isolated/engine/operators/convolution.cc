// SPDX-License-Identifier: Apache-2.0
// Conv and ConvTranspose, of floats.
#include "isolated/engine/operators/convolution.h"

#include "base/format.h"
#include "isolated/engine/operators/matrix_product.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// A kernel of one cell that visits every one: the image is its own columns.
bool trivial(const Window& window) {
  for (uint32_t i = 0; i < window.rank; ++i) {
    const WindowAxis& axis = window.axes[i];
    const bool pads = axis.pad_begin != 0 || axis.pad_end != 0;
    if (axis.kernel != 1 || axis.stride != 1 || pads) return false;
  }
  return true;
}

template <class T>
void fill_bias(std::span<T> y, std::span<const T> bias, int64_t channels, int64_t positions) {
  if (bias.empty()) {
    std::ranges::fill(y, T{});
    return;
  }
  for (size_t i = 0; i < y.size(); i += static_cast<size_t>(positions)) {
    const auto channel = (i / static_cast<size_t>(positions)) % static_cast<size_t>(channels);
    std::ranges::fill(y.subspan(i, static_cast<size_t>(positions)), bias[channel]);
  }
}

// Adds the convolution of one group of one image to what `y` [outputs, positions] holds.
template <class T>
void convolve(const Grouped& g, const T* x, const T* weights, std::vector<T>& columns, T* y) {
  const int64_t positions = g.window.positions();
  const int64_t rows = g.inputs * g.window.taps();
  const bool direct = trivial(g.window);
  const int64_t step = direct ? positions : positions_at_once(rows, positions);
  for (int64_t first = 0; first < positions; first += step) {
    const Range block{first, std::min(first + step, positions)};
    Matrix<const T> seen{x, positions};
    if (!direct) {
      columns.resize(static_cast<size_t>(rows * block.count()));
      unroll(g.window, x, g.inputs, block, columns.data());
      seen = {columns.data(), block.count()};
    }
    multiply<T>({.m = g.outputs,
                 .n = block.count(),
                 .k = rows,
                 .a = {weights, rows},
                 .b = seen,
                 .c = {y + block.first, positions},
                 .accumulate = true});
  }
}

Status compute_conv(Computation& c) {
  const Grouped g = TRY(grouped(c, c.shape(0), c.shape(1)));
  const int64_t channels = g.groups * g.outputs;
  if (c.has(2)) TRY(check_bias(c.shape(2), channels));
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, g.window.output_shape(g.batch, channels)));
    const auto x = TRY(c.values<T>(0));
    const auto weights = TRY(c.values<T>(1));
    const auto bias = c.has(2) ? TRY(c.values<T>(2)) : std::span<const T>();
    if (y.empty()) return {};
    const int64_t positions = g.window.positions();
    fill_bias(y, bias, channels, positions);
    if (x.empty()) return {};
    const int64_t image = g.inputs * g.window.cells();
    const int64_t rows = g.inputs * g.window.taps();
    TRY(allow_columns<T>(c, rows, positions, 0));
    std::vector<T> columns;
    for (int64_t i = 0; i < g.batch * g.groups; ++i) {
      convolve(g, x.data() + i * image, weights.data() + i % g.groups * g.outputs * rows, columns,
               y.data() + i * g.outputs * positions);
    }
    return {};
  });
}

// Weights are [groups * inputs, outputs, kernel...].
Result<Grouped> grouped_transposed(const Computation& c) {
  const Shape& input = c.shape(0);
  const Shape& weights = c.shape(1);
  const auto kernel = TRY(kernel_of_weights(c, input, weights));
  const int64_t groups = c.attributes().integer("group", 1);
  if (groups < 1 || weights[0] != input[1] || input[1] % groups != 0) {
    return Error{Code::kInvalid,
                 formatted("{} groups do not share the {} channels of its input among its "
                           "weights {}",
                           groups, input[1], weights.text())};
  }
  int64_t channels = 0;
  if (__builtin_mul_overflow(groups, weights[1], &channels))
    return Error{Code::kTooLarge, formatted("{} groups have too many channels", groups)};
  return Grouped{.window = TRY(transposed_window_of(c, input, kernel)),
                 .batch = input[0],
                 .groups = groups,
                 .inputs = input[1] / groups,
                 .outputs = weights[1]};
}

// Adds what one group of one image spreads over `y` [outputs, cells]. The window is that of the
// way back: its cells are those of `y`, its positions those of `x`.
template <class T>
void spread(const Grouped& g, const T* x, const T* weights, std::vector<T>& columns, T* y) {
  const int64_t positions = g.window.positions();
  const int64_t rows = g.outputs * g.window.taps();
  const int64_t step = positions_at_once(rows, positions);
  for (int64_t first = 0; first < positions; first += step) {
    const Range block{first, std::min(first + step, positions)};
    columns.resize(static_cast<size_t>(rows * block.count()));
    multiply<T>({.m = rows,
                 .n = block.count(),
                 .k = g.inputs,
                 .a = transposed(Matrix<const T>{weights, rows}),
                 .b = {x + block.first, positions},
                 .c = {columns.data(), block.count()}});
    roll(g.window, columns.data(), g.outputs, block, y);
  }
}

Status compute_conv_transpose(Computation& c) {
  const Grouped g = TRY(grouped_transposed(c));
  const int64_t channels = g.groups * g.outputs;
  if (c.has(2)) TRY(check_bias(c.shape(2), channels));
  Shape shape = c.shape(0);
  shape[1] = channels;
  for (uint32_t i = 0; i < g.window.rank; ++i) shape[i + 2] = g.window.axes[i].input;
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, shape));
    const auto x = TRY(c.values<T>(0));
    const auto weights = TRY(c.values<T>(1));
    const auto bias = c.has(2) ? TRY(c.values<T>(2)) : std::span<const T>();
    if (y.empty()) return {};
    const int64_t cells = g.window.cells();
    fill_bias(y, bias, channels, cells);
    if (x.empty()) return {};
    // Sums are rounded to 16 bits once, when all is added.
    const int64_t more = g.outputs * cells + Widened<T>::copies(weights) + Widened<T>::copies(x);
    TRY(allow_columns<Wide<T>>(c, g.outputs * g.window.taps(), g.window.positions(), more));
    const Widened<T> wide_weights(weights);
    std::vector<Wide<T>> columns;
    std::vector<Wide<T>> sums(static_cast<size_t>(g.outputs * cells));
    const auto image = static_cast<size_t>(g.inputs * g.window.positions());
    const auto part = static_cast<size_t>(g.inputs * g.outputs * g.window.taps());
    for (size_t i = 0; i < static_cast<size_t>(g.batch * g.groups); ++i) {
      const auto target = y.subspan(i * sums.size(), sums.size());
      std::ranges::copy(target, sums.begin());
      const Widened<T> wide_x(x.subspan(i * image, image));
      spread(g, wide_x.data(), wide_weights.data() + i % static_cast<size_t>(g.groups) * part,
             columns, sums.data());
      std::ranges::transform(sums, target.begin(), [](Wide<T> sum) { return static_cast<T>(sum); });
    }
    return {};
  });
}

}  // namespace

Result<Grouped> grouped(const Computation& c, const Shape& input, const Shape& weights) {
  const auto kernel = TRY(kernel_of_weights(c, input, weights));
  const int64_t groups = c.attributes().integer("group", 1);
  const bool divide = groups > 0 && weights[0] % groups == 0 && input[1] % groups == 0;
  if (!divide || input[1] / groups != weights[1]) {
    return Error{Code::kInvalid,
                 formatted("{} groups do not divide the {} input and {} output channels of "
                           "weights {}",
                           groups, input[1], weights[0], weights.text())};
  }
  return Grouped{.window = TRY(window_of(c, input, kernel)),
                 .batch = input[0],
                 .groups = groups,
                 .inputs = weights[1],
                 .outputs = weights[0] / groups};
}

Status check_bias(const Shape& bias, int64_t channels) {
  if (bias == Shape{channels}) return {};
  return Error{Code::kInvalid,
               formatted("its bias {} needs the shape [{}]", bias.text(), channels)};
}

void add_convolution(Operators& operators) {
  operators.add("Conv", compute_conv);
  operators.add("ConvTranspose", compute_conv_transpose);
}

}  // namespace casemate::engine
