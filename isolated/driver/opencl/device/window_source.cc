// SPDX-License-Identifier: Apache-2.0
// Kernels that slide windows over planes. A cell outside of its plane is never read.
#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {

const KernelSource kWindowSource = {"window", R"cl(
typedef struct { int in_height, in_width, out_height, out_width, kernel_height, kernel_width,
                 stride_height, stride_width, dilation_height, dilation_width, pad_top,
                 pad_left; } Window;

// A row for each channel and tap, of all positions: what a convolution is a product with.
__kernel void unroll(__global const float* x, int first, __global float* to, int to_first,
                     Window w) {
  const int at = get_global_id(0);
  const int row = get_global_id(1);
  const int positions = w.out_height * w.out_width;
  if (at >= positions) return;
  const int taps = w.kernel_height * w.kernel_width;
  const int tap = row % taps;
  const int line = at / w.out_width * w.stride_height - w.pad_top +
                   tap / w.kernel_width * w.dilation_height;
  const int column = at % w.out_width * w.stride_width - w.pad_left +
                     tap % w.kernel_width * w.dilation_width;
  const bool inside = line >= 0 && line < w.in_height && column >= 0 && column < w.in_width;
  const int plane = first + row / taps * w.in_height * w.in_width;
  to[to_first + row * positions + at] = inside ? x[plane + line * w.in_width + column] : 0.0f;
}

// Groups of few channels: `channels` of the input and `filters` of the output for each.
__kernel void grouped(__global const float* x, __global const float* weights, __global float* y,
                      int channels, int filters, int groups, Window w) {
  const int at = get_global_id(0);
  const int plane = get_global_id(1);
  const int positions = w.out_height * w.out_width;
  if (at >= positions) return;
  const int filter = plane % (filters * groups);
  const int image = plane / (filters * groups);
  const int taps = w.kernel_height * w.kernel_width;
  const int line = at / w.out_width * w.stride_height - w.pad_top;
  const int column = at % w.out_width * w.stride_width - w.pad_left;
  x += (image * groups + filter / filters) * channels * w.in_height * w.in_width;
  weights += filter * channels * taps;
  float sum = 0;
  for (int c = 0; c < channels; ++c) {
    for (int i = 0; i < w.kernel_height; ++i) {
      const int yy = line + i * w.dilation_height;
      if (yy < 0 || yy >= w.in_height) continue;
      for (int j = 0; j < w.kernel_width; ++j) {
        const int xx = column + j * w.dilation_width;
        if (xx < 0 || xx >= w.in_width) continue;
        sum = fma(x[(c * w.in_height + yy) * w.in_width + xx],
                  weights[c * taps + i * w.kernel_width + j], sum);
      }
    }
  }
  y[plane * positions + at] = sum;
}

// MEAN: over what of a window lies on the input, or over all of it.
__kernel void pool(__global const float* x, __global float* y, int means, int padding_counts,
                   Window w) {
  const int at = get_global_id(0);
  const int plane = get_global_id(1);
  const int positions = w.out_height * w.out_width;
  if (at >= positions) return;
  const int line = at / w.out_width * w.stride_height - w.pad_top;
  const int column = at % w.out_width * w.stride_width - w.pad_left;
  x += plane * w.in_height * w.in_width;
  float sum = 0;
  float top = -INFINITY;
  int cells = 0;
  for (int i = 0; i < w.kernel_height; ++i) {
    const int yy = line + i * w.dilation_height;
    if (yy < 0 || yy >= w.in_height) continue;
    for (int j = 0; j < w.kernel_width; ++j) {
      const int xx = column + j * w.dilation_width;
      if (xx < 0 || xx >= w.in_width) continue;
      const float v = x[yy * w.in_width + xx];
      sum += v;
      top = v > top || v != v ? v : top;
      ++cells;
    }
  }
  if (padding_counts) cells = w.kernel_height * w.kernel_width;
  y[plane * positions + at] = means ? sum / max(cells, 1) : top;
}
)cl"};

}  // namespace casemate::driver
