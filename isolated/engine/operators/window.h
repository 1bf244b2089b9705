// SPDX-License-Identifier: Apache-2.0
#pragma once
// Window: how a kernel slides over the spatial dimensions of an image [N,C,spatial...].
//
//   . . x x x x x x x x .      input: 8 cells, padded by 2 and 1
//   o - o - o                  position 0: 3 taps, 2 apart (dilation); 2 lie on the input
//       o - o - o              position 1: 2 cells further (stride)
//
// A transposed convolution goes the other way: it spreads each of its inputs over its output, so
// its window has that output as its input.
//
//   Owns     nothing.
//   Threads  value types.
//   Trust    attributes and shapes may be anything; what window_of() lets through never overflows.
//   Fails    with kInvalid, and the attribute that is wrong.

#include <array>

#include "isolated/engine/operators/computation.h"

namespace casemate::engine {

// The first of some numbers, and the one behind the last.
struct Range {
  int64_t first = 0;
  int64_t last = 0;
  [[nodiscard]] int64_t count() const { return last - first; }
};

// Along one dimension.
struct WindowAxis {
  int64_t input = 0;   // cells
  int64_t output = 0;  // positions
  int64_t kernel = 1;  // taps
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;

  // Cells from the first tap to the last.
  [[nodiscard]] int64_t reach() const { return (kernel - 1) * dilation + 1; }
  // The cell under a tap, which may lie in the padding: negative, or behind the input.
  [[nodiscard]] int64_t cell(int64_t position, int64_t tap) const {
    return position * stride + tap * dilation - pad_begin;
  }
  // The taps that lie on the input at a position.
  [[nodiscard]] Range taps(int64_t position) const;
  // The positions at which a tap lies on the input.
  [[nodiscard]] Range positions(int64_t tap) const;
};

inline constexpr uint32_t kWindowRank = limits::kRank - 2;

struct Window {
  std::array<WindowAxis, kWindowRank> axes = {};
  uint32_t rank = 0;

  [[nodiscard]] const WindowAxis& last() const { return axes[rank - 1]; }
  // Of all dimensions. The last one for kernels that lie in a tensor: others may have more taps
  // than can be counted.
  [[nodiscard]] int64_t cells() const;
  [[nodiscard]] int64_t positions() const;
  [[nodiscard]] int64_t taps() const;
  // [batch, channels, positions...]
  [[nodiscard]] Shape output_shape(int64_t batch, int64_t channels) const;
};

// The attribute 'kernel_shape'. `input` is [N,C,spatial...].
Result<std::vector<int64_t>> kernel_attribute(const Computation& c, const Shape& input);
// That of weights [M,C,spatial...], with which the attribute must agree if it is there.
Result<std::vector<int64_t>> kernel_of_weights(const Computation& c, const Shape& input,
                                               const Shape& weights);

// From the attributes 'strides', 'dilations', 'pads', 'auto_pad' and 'ceil_mode'.
Result<Window> window_of(const Computation& c, const Shape& input,
                         const std::vector<int64_t>& kernel);
// From the same, 'output_padding' and 'output_shape'. Its axes' input is what is written,
// [N,M,spatial...], and their output is `input`.
Result<Window> transposed_window_of(const Computation& c, const Shape& input,
                                    const std::vector<int64_t>& kernel);

// A list of numbers, one per spatial dimension or `count` in all; `otherwise` where it is missing.
// Each is at least `lowest`.
Result<std::vector<int64_t>> window_attribute(const Computation& c, std::string_view name,
                                              size_t count, int64_t otherwise, int64_t lowest);

}  // namespace casemate::engine
