// SPDX-License-Identifier: Apache-2.0
// Quantisation: y = saturate(round(x / scale) + zero point), halves to even, and back. A scale
// holds for all elements, for those of one index along an axis, or for blocks of them.
//
// Computed in float, of 32-bit integers in double. What is no number becomes the lowest one.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/type_attribute.h"

namespace casemate::engine {
namespace {

// Which scale is whose, with elements taken as [outer, extent, inner].
struct Granularity {
  int64_t outer = 1;
  int64_t extent = 1;
  int64_t inner = 1;
  int64_t block = 1;  // so many along the extent share a scale
  // Steps through the scales: from one outer index to the next, from block to block, and inside.
  int64_t outer_step = 0;
  int64_t block_step = 0;
  int64_t inner_step = 0;

  // Calls `row(first, scale)` for rows of `inner` elements, with the indices where they begin.
  template <class Row>
  void for_each_row(Row row) const {
    if (extent == 0 || inner == 0) return;  // outer may be beyond counting then
    int64_t first = 0;
    for (int64_t i = 0; i < outer; ++i) {
      for (int64_t j = 0; j < extent; ++j) {
        row(first, i * outer_step + j / block * block_step);
        first += inner;
      }
    }
  }
};

Error misfit(const Shape& scale, const Shape& x) {
  return {Code::kInvalid, formatted("its scale of shape {} does not fit the shape {} of its data",
                                    scale.text(), x.text())};
}

Result<Granularity> blocked(const Computation& c, Granularity along, size_t axis, int64_t block) {
  Shape blocks = c.shape(0);
  blocks[axis] = blocks[axis] / block + (blocks[axis] % block != 0 ? 1 : 0);
  if (c.shape(1) != blocks) return misfit(c.shape(1), c.shape(0));
  along.block = block;
  along.outer_step = blocks[axis] * along.inner;
  along.block_step = along.inner;
  along.inner_step = 1;
  return along;
}

Result<Granularity> granularity(const Computation& c) {
  const Shape& x = c.shape(0);
  const Shape& scale = c.shape(1);
  const auto count = static_cast<int64_t>(TRY(x.element_count()));
  const uint64_t scales = TRY(scale.element_count());
  if (c.has(2) && c.shape(2) != scale && (scales != 1 || TRY(c.shape(2).element_count()) != 1)) {
    return Error{Code::kInvalid,
                 formatted("its zero point has the shape {}, its scale has {}; both must be alike",
                           c.shape(2).text(), scale.text())};
  }
  if (scales == 1) return Granularity{.inner = count};
  const Split split = TRY(split_at(x, x.rank() == 1 ? 0 : c.attributes().integer("axis", 1)));
  Granularity along{.outer = split.outer, .extent = split.extent, .inner = split.inner};
  const int64_t block = c.since(21) ? c.attributes().integer("block_size", 0) : 0;
  if (block < 0)
    return Error{Code::kInvalid, formatted("its block_size is {}, it takes none below 0", block)};
  if (block > 0) return blocked(c, along, split.axis, block);
  if (scale.rank() != 1 || scale[0] != split.extent) return misfit(scale, x);
  if (along.inner > 1) {
    along.block_step = 1;
  } else {
    // Along the last axis the scales are a row like any of the elements.
    std::swap(along.extent, along.inner);
    along.inner_step = 1;
  }
  return along;
}

// Whatever an input holds, and 0 for one that is left out.
template <class T>
Result<std::span<const T>> zero_points(Computation& c) {
  if (!c.has(2)) return std::span<const T>();
  return c.values<T>(2);
}

template <class X, class Scale, class Y>
Status quantise(Computation& c) {
  using W = std::conditional_t<std::is_integral_v<X>, double, float>;
  const Granularity scales = TRY(granularity(c));
  const std::span<Y> y = TRY(c.make<Y>(0, c.shape(0)));
  const auto x = TRY(c.values<X>(0));
  const auto scale = TRY(c.values<Scale>(1));
  const auto zero = TRY(zero_points<Y>(c));
  constexpr W kLow = std::numeric_limits<Y>::min();
  constexpr W kHigh = std::numeric_limits<Y>::max();
  scales.for_each_row([&](int64_t first, int64_t at) {
    const X* from = x.data() + first;
    Y* to = y.data() + first;
    for (int64_t i = 0; i < scales.inner; ++i, at += scales.inner_step) {
      const auto k = static_cast<size_t>(at);
      const W shift = zero.empty() ? W{} : static_cast<W>(zero[k]);
      const W whole = std::nearbyint(W(widened(from[i])) / W(widened(scale[k]))) + shift;
      to[i] = static_cast<Y>(whole > kLow ? std::min(whole, kHigh) : kLow);
    }
  });
  return {};
}

// Scales have the type of the data; before operator set 19, and thus for integers, float32.
template <class X>
Status quantise_from(Computation& c, ElementType to) {
  using Targets = Types<uint8_t, int8_t, uint16_t, int16_t>;
  return for_type(Targets{}, to, [&]<class Y>() -> Status {
    if constexpr (std::is_integral_v<X>) {
      if (c.type(1) == ElementType::kFloat32) return quantise<X, float, Y>(c);
    }
    return quantise<X, X, Y>(c);
  });
}

Status compute_quantize_linear(Computation& c) {
  const ElementType zero = c.type(2);
  const ElementType to = TRY(
      type_attribute(c, "output_dtype", zero == ElementType::kNone ? ElementType::kUint8 : zero));
  if (c.has(2) && to != zero) {
    return Error{Code::kInvalid, formatted("its output_dtype is {}, its zero point has {}",
                                           name_of(to), name_of(zero))};
  }
  return for_type(Types<float, Float16, Bfloat16, int32_t>{}, c.type(0),
                  [&]<class X>() { return quantise_from<X>(c, to); });
}

template <class X, class Y>
Status dequantise(Computation& c) {
  const Granularity scales = TRY(granularity(c));
  const std::span<Y> y = TRY(c.make<Y>(0, c.shape(0)));
  const auto x = TRY(c.values<X>(0));
  const auto scale = TRY(c.values<Y>(1));
  const auto zero = TRY(zero_points<X>(c));
  scales.for_each_row([&](int64_t first, int64_t at) {
    const X* from = x.data() + first;
    Y* to = y.data() + first;
    for (int64_t i = 0; i < scales.inner; ++i, at += scales.inner_step) {
      const auto k = static_cast<size_t>(at);
      const int64_t shift = zero.empty() ? 0 : int64_t{zero[k]};
      const auto distance = static_cast<float>(int64_t{from[i]} - shift);
      to[i] = narrowed<Y>(distance * widened(scale[k]));
    }
  });
  return {};
}

Status compute_dequantize_linear(Computation& c) {
  using Sources = Types<uint8_t, int8_t, uint16_t, int16_t, int32_t>;
  return for_type(Sources{}, c.type(0), [&]<class X>() {
    return for_type(Types<float, Float16, Bfloat16>{}, c.type(1),
                    [&]<class Y>() { return dequantise<X, Y>(c); });
  });
}

// Scale and zero point are such that 0 and all elements can be told in a byte. Where all of them
// are 0, any scale would do: it is 1.
Status compute_dynamic_quantize_linear(Computation& c) {
  if (c.output_count() != 3) {
    return Error{Code::kInvalid, formatted("it has {} outputs, it makes three", c.output_count())};
  }
  const auto y = TRY(c.make<uint8_t>(0, c.shape(0)));
  const auto y_scale = TRY(c.make<float>(1, {}));
  const auto y_zero = TRY(c.make<uint8_t>(2, {}));
  const auto x = TRY(c.values<float>(0));
  float low = 0;
  float high = 0;
  for (const float element : x) {
    low = std::min(low, element);
    high = std::max(high, element);
  }
  const float scale = low == high ? 1 : (high - low) / 255;
  const auto byte = [](float value) { return value > 0 ? std::min(value, 255.0F) : 0.0F; };
  const float zero = std::nearbyint(byte(-low / scale));
  for (size_t i = 0; i < x.size(); ++i)
    y[i] = static_cast<uint8_t>(byte(std::nearbyint(x[i] / scale) + zero));
  y_scale[0] = scale;
  y_zero[0] = static_cast<uint8_t>(zero);
  return {};
}

}  // namespace

void add_quantise(Operators& operators) {
  operators.add("QuantizeLinear", compute_quantize_linear);
  operators.add("DequantizeLinear", compute_dequantize_linear);
  operators.add("DynamicQuantizeLinear", compute_dynamic_quantize_linear);
}

}  // namespace casemate::engine
