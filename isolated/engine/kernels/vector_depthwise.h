// SPDX-License-Identifier: Apache-2.0
#pragma once
// Loops over lines of images, channels last: depth-wise convolution. See vector.h.

#include "isolated/engine/kernels/vector.h"

namespace casemate::engine {
namespace {

// What is done to a sum before it is stored.
CASEMATE_INLINE Vector finished(const DepthwiseLine& given, Vector sum) {
  if (given.leaky) sum = sum < 0 ? sum * given.slope : sum;
  if (given.clamped) {
    sum = sum > given.low ? sum : all(given.low);
    sum = sum < given.high ? sum : all(given.high);
  }
  return sum;
}
CASEMATE_INLINE float finished(const DepthwiseLine& given, float sum) {
  if (given.leaky) sum = sum < 0 ? sum * given.slope : sum;
  if (given.clamped) {
    sum = sum > given.low ? sum : given.low;
    sum = sum < given.high ? sum : given.high;
  }
  return sum;
}

// The lines of a window that lie inside the image, each with the weights of its taps.
struct DepthwiseRows {
  static constexpr int kMax = 8;
  const float* pixels[kMax];  // of the image's first column
  const float* weights[kMax];
  int count = 0;
};

// One column of results, of the columns of its windows that lie inside the image.
CASEMATE_INLINE void depthwise_edge(const DepthwiseLine& given, int64_t column, int64_t channels) {
  const int64_t left = column * given.stride - given.pad_left;
  const int64_t step = given.in_step;
  const int64_t all_channels = given.channels;
  float* const out = given.out + column * given.out_step;
  // The taps inside.
  int64_t begin = 0;
  int64_t end = given.kernel_w;
  while (begin < end && left + begin * given.dilation < 0) ++begin;
  while (end > begin && left + (end - 1) * given.dilation >= given.width) --end;
  const int64_t apart = given.dilation * step;
  for (int64_t channel = 0; channel < channels; channel += kLanes) {
    Vector sum = given.bias == nullptr ? Vector{} : load(given.bias + channel);
    for (int64_t h = 0; h < given.kernel_h; ++h) {
      const float* const line = given.lines[h];
      if (line == nullptr) continue;
      const float* x = line + (left + begin * given.dilation) * step + channel;
      const float* w = given.weights + (h * given.kernel_w + begin) * all_channels + channel;
      for (int64_t i = begin; i < end; ++i, x += apart, w += all_channels) sum += load(x) * load(w);
    }
    store(out + channel, finished(given, sum));
  }
}

// kTile results side by side, whose windows lie inside the image: what they read in common is read
// once. Channels are the inner loop: with pixels a power of two apart, a walk along the line would
// find all of them in a few places of the nearest cache.
template <int kKernel, int kStride, int kTile, int kLines>
CASEMATE_INLINE void depthwise_tile(const DepthwiseLine& given, const DepthwiseRows& rows,
                                    int64_t column, int64_t channels) {
  constexpr int kReach = (kTile - 1) * kStride + kKernel;
  // Copies, since what is stored might be what `given` points to, as far as a compiler knows.
  const int64_t in_step = given.in_step;
  const int64_t out_step = given.out_step;
  const int64_t tap = given.channels;
  const float* const bias = given.bias;
  const DepthwiseLine after = given;
  float* const out = given.out + column * out_step;
  const int64_t left = (column * given.stride - given.pad_left) * in_step;
  const float* x[kLines];
  const float* w[kLines];
#pragma GCC unroll 8
  for (int h = 0; h < kLines; ++h) {
    x[h] = rows.pixels[h] + left;
    w[h] = rows.weights[h];
  }
  for (int64_t channel = 0; channel < channels; channel += kLanes) {
    Vector sums[kTile];
    const Vector first = bias == nullptr ? Vector{} : load(bias + channel);
#pragma GCC unroll 16
    for (int t = 0; t < kTile; ++t) sums[t] = first;
#pragma GCC unroll 8
    for (int h = 0; h < kLines; ++h) {
      Vector pixels[kReach];
#pragma GCC unroll 16
      for (int i = 0; i < kReach; ++i) pixels[i] = load(x[h] + i * in_step + channel);
#pragma GCC unroll 16
      for (int i = 0; i < kKernel; ++i) {
        const Vector weight = load(w[h] + i * tap + channel);
#pragma GCC unroll 16
        for (int t = 0; t < kTile; ++t) sums[t] += weight * pixels[t * kStride + i];
      }
    }
#pragma GCC unroll 16
    for (int t = 0; t < kTile; ++t) store(out + t * out_step + channel, finished(after, sums[t]));
  }
}

// The columns [begin, end), whose windows lie inside the image.
template <int kKernel, int kStride, int kLines>
void depthwise_inner(const DepthwiseLine& given, const DepthwiseRows& rows, int64_t begin,
                     int64_t end, int64_t channels) {
  constexpr int kTile = kLanes == 16 ? 6 : 4;
  int64_t column = begin;
  for (; column + kTile <= end; column += kTile)
    depthwise_tile<kKernel, kStride, kTile, kLines>(given, rows, column, channels);
  if (kTile > 4 && column + 4 <= end) {
    depthwise_tile<kKernel, kStride, 4, kLines>(given, rows, column, channels);
    column += 4;
  }
  if (column + 2 <= end) {
    depthwise_tile<kKernel, kStride, 2, kLines>(given, rows, column, channels);
    column += 2;
  }
  for (; column < end; ++column)
    depthwise_tile<kKernel, kStride, 1, kLines>(given, rows, column, channels);
}

// For windows of kKernel lines, of which those outside the image are left out.
template <int kKernel, int kStride, int kLines = kKernel>
void depthwise_lines(const DepthwiseLine& given, const DepthwiseRows& rows, int64_t begin,
                     int64_t end, int64_t channels) {
  if (rows.count == kLines)
    return depthwise_inner<kKernel, kStride, kLines>(given, rows, begin, end, channels);
  if constexpr (kLines > 1)
    depthwise_lines<kKernel, kStride, kLines - 1>(given, rows, begin, end, channels);
}

CASEMATE_INLINE void depthwise_columns(const DepthwiseLine& given, int64_t begin, int64_t end,
                                       int64_t channels) {
  const bool square = given.kernel_h == given.kernel_w && given.dilation == 1;
  DepthwiseRows rows;
  for (int64_t h = 0; square && h < std::min<int64_t>(given.kernel_h, DepthwiseRows::kMax); ++h) {
    if (given.lines[h] == nullptr) continue;
    rows.pixels[rows.count] = given.lines[h];
    rows.weights[rows.count] = given.weights + h * given.kernel_w * given.channels;
    ++rows.count;
  }
  const int64_t kernel = square && rows.count > 0 ? given.kernel_w * 10 + given.stride : 0;
  if (kernel == 11) return depthwise_lines<1, 1>(given, rows, begin, end, channels);
  if (kernel == 31) return depthwise_lines<3, 1>(given, rows, begin, end, channels);
  if (kernel == 32) return depthwise_lines<3, 2>(given, rows, begin, end, channels);
  if (kernel == 51) return depthwise_lines<5, 1>(given, rows, begin, end, channels);
  if (kernel == 52) return depthwise_lines<5, 2>(given, rows, begin, end, channels);
  for (int64_t column = begin; column < end; ++column) depthwise_edge(given, column, channels);
}

// The channels that are fewer than a vector.
void depthwise_rest(const DepthwiseLine& given, int64_t first_channel) {
  for (int64_t column = 0; column < given.out_width; ++column) {
    const int64_t left = column * given.stride - given.pad_left;
    for (int64_t c = first_channel; c < given.channels; ++c) {
      float sum = given.bias == nullptr ? 0 : given.bias[c];
      for (int64_t h = 0; h < given.kernel_h; ++h) {
        for (int64_t w = 0; w < given.kernel_w; ++w) {
          const int64_t at = left + w * given.dilation;
          if (given.lines[h] == nullptr || at < 0 || at >= given.width) continue;
          sum += given.lines[h][at * given.in_step + c] *
                 given.weights[(h * given.kernel_w + w) * given.channels + c];
        }
      }
      given.out[column * given.out_step + c] = finished(given, sum);
    }
  }
}

void depthwise_line(const DepthwiseLine& given) {
  const int64_t channels = given.channels / kLanes * kLanes;
  for (int64_t i = 0; i < given.inner_begin; ++i) depthwise_edge(given, i, channels);
  depthwise_columns(given, given.inner_begin, given.inner_end, channels);
  for (int64_t i = given.inner_end; i < given.out_width; ++i) depthwise_edge(given, i, channels);
  if (channels < given.channels) depthwise_rest(given, channels);
}

}  // namespace
}  // namespace casemate::engine
