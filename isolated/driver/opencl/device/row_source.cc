// SPDX-License-Identifier: Apache-2.0
// Kernels that reduce or normalise rows: elements `inner` apart, `extent` of them.
#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {

const KernelSource kRowSource = {"row", R"cl(
float added(float8 v) {
  const float4 four = v.lo + v.hi;
  return (four.x + four.y) + (four.z + four.w);
}
float greatest(float8 v) {
  const float4 four = fmax(v.lo, v.hi);
  return fmax(fmax(four.x, four.y), fmax(four.z, four.w));
}

// LOGARITHM: of the result.
#ifdef LOGARITHM
__kernel void softmax(__global const float* x, __global float* y, int rows, int extent,
                      int inner) {
  const int row = get_global_id(0);
  if (row >= rows) return;
  const int first = row / inner * extent * inner + row % inner;
  x += first;
  y += first;
  float top = -INFINITY;
  for (int i = 0; i < extent; ++i) top = fmax(top, x[i * inner]);
  float sum = 0;
  for (int i = 0; i < extent; ++i) {
    const float e = exp(x[i * inner] - top);
    sum += e;
    if (!LOGARITHM) y[i * inner] = e;
  }
  const float last = log(sum);
  for (int i = 0; i < extent; ++i)
    y[i * inner] = LOGARITHM ? x[i * inner] - top - last : y[i * inner] / sum;
}

// The same where elements are neighbours.
__kernel void softmax_near(__global const float* x, __global float* y, int rows, int extent,
                           int inner) {
  const int row = get_global_id(0);
  if (row >= rows) return;
  x += row * extent;
  y += row * extent;
  float8 tops = (float8)(-INFINITY);
  int i = 0;
  for (; i + 8 <= extent; i += 8) tops = fmax(tops, vload8(0, x + i));
  float top = greatest(tops);
  for (; i < extent; ++i) top = fmax(top, x[i]);
  float8 sums = (float8)(0.0f);
  for (i = 0; i + 8 <= extent; i += 8) {
    const float8 e = exp(vload8(0, x + i) - top);
    sums += e;
    if (!LOGARITHM) vstore8(e, 0, y + i);
  }
  float sum = added(sums);
  for (; i < extent; ++i) {
    const float e = exp(x[i] - top);
    sum += e;
    if (!LOGARITHM) y[i] = e;
  }
  const float last = log(sum);
  for (i = 0; i < extent; ++i) y[i] = LOGARITHM ? x[i] - top - last : y[i] / sum;
}
#endif

// JOIN(a, b) of floats or vectors; START: what changes nothing; SCALE: of the result.
#ifdef JOIN
__kernel void reduce(__global const float* x, __global float* y, int rows, int extent,
                     int inner) {
  const int row = get_global_id(0);
  if (row >= rows) return;
  x += row / inner * extent * inner + row % inner;
  float sum = START;
  for (int i = 0; i < extent; ++i) sum = JOIN(sum, x[i * inner]);
  y[row] = SCALE(sum);
}

__kernel void reduce_near(__global const float* x, __global float* y, int rows, int extent,
                          int inner) {
  const int row = get_global_id(0);
  if (row >= rows) return;
  x += row * extent;
  float8 sums = (float8)(START);
  int i = 0;
  for (; i + 8 <= extent; i += 8) sums = JOIN(sums, vload8(0, x + i));
  const float4 four = JOIN(sums.lo, sums.hi);
  float sum = JOIN(JOIN(four.x, four.y), JOIN(four.z, four.w));
  for (; i < extent; ++i) sum = JOIN(sum, x[i]);
  y[row] = SCALE(sum);
}
#endif

#ifdef NORMALISE
// Ba, Kiros and Hinton 2016: mean and variance of each row.
__kernel void layer_normalization(__global const float* x, __global const float* scale,
                                  __global const float* shift, __global float* y, int rows,
                                  int extent, int shifts, float epsilon) {
  const int row = get_global_id(0);
  if (row >= rows) return;
  x += row * extent;
  y += row * extent;
  float8 sums = (float8)(0.0f);
  int i = 0;
  for (; i + 8 <= extent; i += 8) sums += vload8(0, x + i);
  float sum = added(sums);
  for (; i < extent; ++i) sum += x[i];
  const float mean = sum / extent;
  sums = (float8)(0.0f);
  for (i = 0; i + 8 <= extent; i += 8) {
    const float8 d = vload8(0, x + i) - mean;
    sums = fma(d, d, sums);
  }
  sum = added(sums);
  for (; i < extent; ++i) sum = fma(x[i] - mean, x[i] - mean, sum);
  const float factor = 1 / sqrt(sum / extent + epsilon);
  for (i = 0; i < extent; ++i)
    y[i] = (x[i] - mean) * factor * scale[i] + (shifts ? shift[i] : 0.0f);
}

// Ioffe and Szegedy 2015, with statistics that are given.
__kernel void batch_normalization(__global const float* x, __global const float* scale,
                                  __global const float* shift, __global const float* mean,
                                  __global const float* variance, __global float* y, int count,
                                  int inner, int channels, float epsilon) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int c = i / inner % channels;
  y[i] = (x[i] - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + shift[c];
}

// Krizhevsky, Sutskever and Hinton 2012: over `size` channels around each.
__kernel void response_normalization(__global const float* x, __global float* y, int count,
                                     int inner, int channels, int size, float alpha, float beta,
                                     float bias) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int c = i / inner % channels;
  const int low = max(c - (size - 1) / 2, 0);
  const int high = min(c + size / 2, channels - 1);
  float sum = 0;
  for (int k = low; k <= high; ++k) {
    const float v = x[i + (k - c) * inner];
    sum = fma(v, v, sum);
  }
  y[i] = x[i] / pow(bias + alpha / size * sum, beta);
}
#endif
)cl"};

}  // namespace casemate::driver
