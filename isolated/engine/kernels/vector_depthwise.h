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

// One column of results, of the columns of its windows that lie inside the image.
CASEMATE_INLINE void depthwise_edge(const DepthwiseLine& given, int64_t column, int64_t channels) {
  const int64_t left = column * given.stride - given.pad_left;
  for (int64_t channel = 0; channel < channels; channel += kLanes) {
    Vector sum = given.bias == nullptr ? Vector{} : load(given.bias + channel);
    for (int64_t h = 0; h < given.kernel_h; ++h) {
      if (given.lines[h] == nullptr) continue;
      for (int64_t w = 0; w < given.kernel_w; ++w) {
        const int64_t at = left + w * given.dilation;
        if (at < 0 || at >= given.width) continue;
        sum += load(given.lines[h] + at * given.channels + channel) *
               load(given.weights + (h * given.kernel_w + w) * given.channels + channel);
      }
    }
    store(given.out + column * given.channels + channel, finished(given, sum));
  }
}

// kTile results side by side, whose windows lie inside the image: what they read in common is read
// once.
template <int kKernel, int kStride, int kTile>
CASEMATE_INLINE void depthwise_tile(const DepthwiseLine& given, int64_t column, int64_t channel) {
  constexpr int kReach = (kTile - 1) * kStride + kKernel;
  Vector sums[kTile];
#pragma GCC unroll 16
  for (int t = 0; t < kTile; ++t)
    sums[t] = given.bias == nullptr ? Vector{} : load(given.bias + channel);
  const int64_t left = column * given.stride - given.pad_left;
  for (int64_t h = 0; h < given.kernel_h; ++h) {
    if (given.lines[h] == nullptr) continue;
    const float* const x = given.lines[h] + left * given.channels + channel;
    const float* const weights = given.weights + h * kKernel * given.channels + channel;
    Vector pixels[kReach];
#pragma GCC unroll 16
    for (int i = 0; i < kReach; ++i) pixels[i] = load(x + i * given.channels);
#pragma GCC unroll 16
    for (int w = 0; w < kKernel; ++w) {
      const Vector weight = load(weights + w * given.channels);
#pragma GCC unroll 16
      for (int t = 0; t < kTile; ++t) sums[t] += weight * pixels[t * kStride + w];
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < kTile; ++t)
    store(given.out + (column + t) * given.channels + channel, finished(given, sums[t]));
}

template <int kKernel, int kStride, int kTile>
CASEMATE_INLINE void depthwise_tiles(const DepthwiseLine& given, int64_t column, int64_t channels) {
  for (int64_t channel = 0; channel < channels; channel += kLanes)
    depthwise_tile<kKernel, kStride, kTile>(given, column, channel);
}

// The columns [begin, end), whose windows lie inside the image. Channels are the inner loop: with
// pixels a power of two apart, a walk along the line would find all of them in a few places of the
// nearest cache.
template <int kKernel, int kStride>
void depthwise_inner(const DepthwiseLine& given, int64_t begin, int64_t end, int64_t channels) {
  constexpr int kTile = kLanes == 16 ? 6 : 4;
  int64_t column = begin;
  for (; column + kTile <= end; column += kTile)
    depthwise_tiles<kKernel, kStride, kTile>(given, column, channels);
  for (; column + 3 <= end; column += 3)
    depthwise_tiles<kKernel, kStride, 3>(given, column, channels);
  for (; column < end; ++column) depthwise_tiles<kKernel, kStride, 1>(given, column, channels);
}

CASEMATE_INLINE void depthwise_columns(const DepthwiseLine& given, int64_t begin, int64_t end,
                                       int64_t channels) {
  const bool dense = given.dilation == 1;
  if (dense && given.kernel_w == 3 && given.stride == 1)
    return depthwise_inner<3, 1>(given, begin, end, channels);
  if (dense && given.kernel_w == 3 && given.stride == 2)
    return depthwise_inner<3, 2>(given, begin, end, channels);
  if (dense && given.kernel_w == 5 && given.stride == 1)
    return depthwise_inner<5, 1>(given, begin, end, channels);
  if (dense && given.kernel_w == 5 && given.stride == 2)
    return depthwise_inner<5, 2>(given, begin, end, channels);
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
          sum += given.lines[h][at * given.channels + c] *
                 given.weights[(h * given.kernel_w + w) * given.channels + c];
        }
      }
      given.out[column * given.channels + c] = finished(given, sum);
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
