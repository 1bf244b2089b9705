// SPDX-License-Identifier: Apache-2.0
// Products of few rows, whose right side is read once and not worth rearranging.
#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {

const KernelSource kProductSource = {"product", R"cl(
// Eight columns each. a: m x k with elements `a_step` apart; b: k x n.
__kernel void few_rows(__global const float* a, int a_first, int a_pitch, int a_step,
                       __global const float* b, int b_first, int b_pitch, __global float* c,
                       int c_first, int c_pitch, int n, int k, int adds) {
  const int column = get_global_id(0) * 8;
  const int row = get_global_id(1);
  if (column >= n) return;
  a += a_first + row * a_pitch;
  b += b_first + column;
  c += c_first + row * c_pitch + column;
  if (column + 8 <= n) {
    float8 sum = adds ? vload8(0, c) : (float8)(0.0f);
    for (int i = 0; i < k; ++i) sum = fma((float8)(a[i * a_step]), vload8(0, b + i * b_pitch), sum);
    vstore8(sum, 0, c);
    return;
  }
  for (int j = 0; j < n - column; ++j) {
    float sum = adds ? c[j] : 0.0f;
    for (int i = 0; i < k; ++i) sum = fma(a[i * a_step], b[i * b_pitch + j], sum);
    c[j] = sum;
  }
}

// One column each; b: n x k.
__kernel void few_rows_turned(__global const float* a, int a_first, int a_pitch, int a_step,
                              __global const float* b, int b_first, int b_pitch,
                              __global float* c, int c_first, int c_pitch, int n, int k,
                              int adds) {
  const int column = get_global_id(0);
  const int row = get_global_id(1);
  if (column >= n) return;
  a += a_first + row * a_pitch;
  b += b_first + column * b_pitch;
  c += c_first + row * c_pitch + column;
  float sum = adds ? c[0] : 0.0f;
  int i = 0;
  if (a_step == 1) {
    float8 sums = (float8)(0.0f);
    for (; i + 8 <= k; i += 8) sums = fma(vload8(0, a + i), vload8(0, b + i), sums);
    const float4 four = sums.lo + sums.hi;
    sum += (four.x + four.y) + (four.z + four.w);
  }
  for (; i < k; ++i) sum = fma(a[i * a_step], b[i], sum);
  c[0] = sum;
}
)cl"};

}  // namespace casemate::driver
