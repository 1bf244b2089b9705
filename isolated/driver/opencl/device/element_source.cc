// SPDX-License-Identifier: Apache-2.0
// Kernels that make each element from those at its place: activations, sums, comparisons, casts.
#include "isolated/driver/opencl/device/grid_source.h"
#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {

// FINISH: statements about v. UNARY, BINARY: an expression of v, or of a and b. X and Y: types.
const KernelSource kElementSource = {"element", CASEMATE_GRID_SOURCE R"cl(
float f_Abs(float v, float a, float b) { return fabs(v); }
float f_Ceil(float v, float a, float b) { return ceil(v); }
float f_Clip(float v, float a, float b) { v = v < a ? a : v; return v > b ? b : v; }
float f_Cos(float v, float a, float b) { return cos(v); }
float f_Elu(float v, float a, float b) { return v < 0 ? a * expm1(v) : v; }
float f_Erf(float v, float a, float b) { return erf(v); }
float f_Exp(float v, float a, float b) { return exp(v); }
float f_Floor(float v, float a, float b) { return floor(v); }
float f_Gelu(float v, float a, float b) { return 0.5f * v * (1 + erf(v * 0.70710678f)); }
float f_GeluTanh(float v, float a, float b) {
  return 0.5f * v * (1 + tanh(0.79788456f * (v + 0.044715f * v * v * v)));
}
float f_HardSigmoid(float v, float a, float b) { return clamp(a * v + b, 0.0f, 1.0f); }
float f_HardSwish(float v, float a, float b) { return v * clamp(a * v + b, 0.0f, 1.0f); }
float f_LeakyRelu(float v, float a, float b) { return v < 0 ? a * v : v; }
float f_Log(float v, float a, float b) { return log(v); }
float f_Softplus(float v, float a, float b) { return fmax(v, 0.0f) + log1p(exp(-fabs(v))); }
float f_Mish(float v, float a, float b) { return v * tanh(f_Softplus(v, a, b)); }
float f_Neg(float v, float a, float b) { return -v; }
float f_Reciprocal(float v, float a, float b) { return 1 / v; }
float f_Relu(float v, float a, float b) { return v < 0 ? 0 : v; }
float f_Round(float v, float a, float b) { return rint(v); }
float f_Sigmoid(float v, float a, float b) { return 1 / (1 + exp(-v)); }
float f_Sign(float v, float a, float b) { return v > 0 ? 1 : v < 0 ? -1 : v; }
float f_Sin(float v, float a, float b) { return sin(v); }
float f_Softsign(float v, float a, float b) { return v / (1 + fabs(v)); }
float f_Sqrt(float v, float a, float b) { return sqrt(v); }
float f_Tanh(float v, float a, float b) { return tanh(v); }

#ifdef FINISH
__kernel void finish(__global float* y, int count, int inner, int channels,
                     __global const float* bias, __global const float* e0,
                     __global const float* e1) {
  const int i = get_global_id(0);
  if (i >= count) return;
  float v = y[i];
  FINISH
  y[i] = v;
}
#endif

#ifdef UNARY
__kernel void map(__global const X* x, __global Y* y, int count) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const X v = x[i];
  y[i] = UNARY;
}
#endif

#ifdef BINARY
__kernel void combine(__global const X* left, __global const X* right, __global Y* y, Grid g) {
  const int x = get_global_id(0);
  const int row = get_global_id(1);
  if (x >= g.columns) return;
  const X a = left[place(&g, 1, row) + x * g.column_step[1]];
  const X b = right[place(&g, 2, row) + x * g.column_step[2]];
  Y v = BINARY;
  FOLLOWS
  y[place(&g, 0, row) + x * g.column_step[0]] = v;
}
#endif
)cl"};

}  // namespace casemate::driver
