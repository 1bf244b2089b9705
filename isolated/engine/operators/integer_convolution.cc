// SPDX-License-Identifier: Apache-2.0
// ConvInteger and QLinearConv: 8-bit images and weights, summed in 32 bits that wrap.
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/convolution.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/matrix_product.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

using Bytes8 = Types<int8_t, uint8_t>;

// Whether a scale or zero point is one number, or one per channel.
Status check_quantization(const Computation& c, size_t input, int64_t channels) {
  const Shape& shape = c.shape(input);
  const uint64_t count = TRY(shape.element_count());
  const bool one = count == 1 && shape.rank() <= 1;
  const bool each = channels > 1 && shape == Shape{channels};
  if (one || each) return {};
  return Error{Code::kInvalid,
               formatted("its input {} of shape {} should have one element{}", input, shape.text(),
                         channels > 1 ? formatted(" or {}", channels) : "")};
}

Status check_type(const Computation& c, size_t input, ElementType type) {
  if (c.type(input) == type) return {};
  return Error{Code::kInvalid, formatted("its input {} is a tensor of {}, it takes one of {}",
                                         input, name_of(c.type(input)), name_of(type))};
}

// Some elements of an input, less the zero points that belong to them.
class Centred {
 public:
  // `zero_point` may be left out. Requires: its shape was checked. Every `step` elements have a
  // zero point of their own, if there are several.
  static Result<Centred> make(Computation& c, size_t input, size_t zero_point, int64_t step) {
    Centred centred;
    centred.step_ = static_cast<size_t>(std::max<int64_t>(step, 1));
    TRY(for_type(Bytes8{}, c.type(input), [&]<class T>() -> Status {
      centred.values_ = TRY(c.tensor(input));
      centred.zeros_ = {0};
      if (!c.has(zero_point)) return {};
      const auto zeros = TRY(c.values<T>(zero_point));
      centred.zeros_.assign(zeros.begin(), zeros.end());
      return {};
    }));
    return centred;
  }

  [[nodiscard]] std::vector<int32_t> part(size_t first, size_t count) const {
    std::vector<int32_t> part(count);
    if (values_->type() == ElementType::kInt8) {
      fill(values_->values<int8_t>().subspan(first, count), first, part);
    } else {
      fill(values_->values<uint8_t>().subspan(first, count), first, part);
    }
    return part;
  }

 private:
  template <class T>
  void fill(std::span<const T> values, size_t first, std::vector<int32_t>& part) const {
    for (size_t i = 0; i < values.size(); ++i)
      part[i] = values[i] - zeros_[zeros_.size() == 1 ? 0 : (first + i) / step_];
  }

  const Tensor* values_ = nullptr;
  std::vector<int32_t> zeros_;
  size_t step_ = 1;
};

// Asks for the memory that convolve() takes: one group of weights, of an image and of sums.
Status allow_sums(Computation& c, const Grouped& g) {
  const int64_t rows = g.inputs * g.window.taps();
  const int64_t sums = std::max(rows, g.outputs);
  return allow_columns<int32_t>(c, sums + rows, g.window.positions(),
                                g.outputs * rows + g.inputs * g.window.cells());
}

// Calls `store(number of the image's group, first position, sums)` with sums [outputs, count].
template <class Store>
void convolve(const Grouped& g, const Centred& x, const Centred& weights, Store store) {
  const int64_t positions = g.window.positions();
  const int64_t rows = g.inputs * g.window.taps();
  const auto image = static_cast<size_t>(g.inputs * g.window.cells());
  const auto part = static_cast<size_t>(g.outputs * rows);
  const int64_t step = positions_at_once(std::max(rows, g.outputs), positions);
  std::vector<int32_t> columns;
  std::vector<int32_t> sums;
  for (int64_t group = 0; group < g.groups; ++group) {
    const auto seen_weights = weights.part(static_cast<size_t>(group) * part, part);
    for (int64_t n = 0; n < g.batch; ++n) {
      const int64_t number = n * g.groups + group;
      const auto seen = x.part(static_cast<size_t>(number) * image, image);
      for (int64_t first = 0; first < positions; first += step) {
        const Range block{first, std::min(first + step, positions)};
        columns.resize(static_cast<size_t>(rows * block.count()));
        sums.resize(static_cast<size_t>(g.outputs * block.count()));
        if (rows > 0) unroll(g.window, seen.data(), g.inputs, block, columns.data());
        multiply<int32_t>({.m = g.outputs,
                           .n = block.count(),
                           .k = rows,
                           .a = {seen_weights.data(), rows},
                           .b = {columns.data(), block.count()},
                           .c = {sums.data(), block.count()}});
        store(number, block, std::span<const int32_t>(sums));
      }
    }
  }
}

Status compute_conv_integer(Computation& c) {
  const Grouped g = TRY(grouped(c, c.shape(0), c.shape(1)));
  const int64_t channels = g.groups * g.outputs;
  if (c.has(2)) TRY(check_quantization(c, 2, 1));
  if (c.has(3)) TRY(check_quantization(c, 3, channels));
  const auto y = TRY(c.make<int32_t>(0, g.window.output_shape(g.batch, channels)));
  const auto x = TRY(Centred::make(c, 0, 2, 1));
  const auto weights = TRY(Centred::make(c, 1, 3, g.inputs * g.window.taps()));
  if (y.empty()) return {};
  TRY(allow_sums(c, g));
  const int64_t positions = g.window.positions();
  convolve(g, x, weights, [&](int64_t number, Range block, std::span<const int32_t> sums) {
    for (int64_t m = 0; m < g.outputs; ++m) {
      std::copy_n(sums.begin() + m * block.count(), block.count(),
                  y.begin() + (number * g.outputs + m) * positions + block.first);
    }
  });
  return {};
}

// What sums are scaled by, and the zero point that is added, per output channel.
struct Requantization {
  std::vector<float> scales;
  std::vector<int32_t> bias;
  int32_t zero_point = 0;

  // The nearest number, the even one of two, within T.
  template <class T>
  T operator()(int32_t sum, size_t channel) const {
    const auto whole = static_cast<uint32_t>(sum) + static_cast<uint32_t>(bias[channel]);
    const float scaled = static_cast<float>(static_cast<int32_t>(whole)) * scales[channel];
    return converted<T>(std::nearbyint(scaled) + static_cast<float>(zero_point));
  }
};

Result<Requantization> requantization(Computation& c, size_t channels) {
  const float x_scale = TRY(c.values<float>(1))[0];
  const auto weight_scales = TRY(c.values<float>(4));
  const float y_scale = TRY(c.values<float>(6))[0];
  Requantization result;
  for (size_t i = 0; i < channels; ++i)
    result.scales.push_back(x_scale * weight_scales[weight_scales.size() == 1 ? 0 : i] / y_scale);
  result.bias.resize(channels);
  if (c.has(8)) std::ranges::copy(TRY(c.values<int32_t>(8)), result.bias.begin());
  return result;
}

Status compute_qlinear_conv(Computation& c) {
  const Grouped g = TRY(grouped(c, c.shape(0), c.shape(3)));
  const int64_t channels = g.groups * g.outputs;
  for (const size_t one : {1, 2, 6, 7}) TRY(check_quantization(c, one, 1));
  for (const size_t several : {4, 5}) TRY(check_quantization(c, several, channels));
  for (const size_t scale : {1, 4, 6}) TRY(check_type(c, scale, ElementType::kFloat32));
  TRY(check_type(c, 2, c.type(0)));
  TRY(check_type(c, 5, c.type(3)));
  if (c.has(8)) TRY(check_bias(c.shape(8), channels));
  return for_type(Bytes8{}, c.type(7), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, g.window.output_shape(g.batch, channels)));
    const auto x = TRY(Centred::make(c, 0, 2, 1));
    const auto weights = TRY(Centred::make(c, 3, 5, g.inputs * g.window.taps()));
    if (y.empty()) return {};
    Requantization quantized = TRY(requantization(c, static_cast<size_t>(channels)));
    quantized.zero_point = TRY(c.values<T>(7))[0];
    TRY(allow_sums(c, g));
    const int64_t positions = g.window.positions();
    convolve(g, x, weights, [&](int64_t number, Range block, std::span<const int32_t> sums) {
      for (int64_t m = 0; m < g.outputs; ++m) {
        const auto channel = static_cast<size_t>(number % g.groups * g.outputs + m);
        T* row = y.data() + (number * g.outputs + m) * positions + block.first;
        for (int64_t i = 0; i < block.count(); ++i)
          row[i] = quantized.operator()<T>(sums[m * block.count() + i], channel);
      }
    });
    return {};
  });
}

}  // namespace

void add_integer_convolution(Operators& operators) {
  operators.add("ConvInteger", compute_conv_integer);
  operators.add("QLinearConv", compute_qlinear_conv);
}

}  // namespace casemate::engine
