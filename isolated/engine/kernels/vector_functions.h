// SPDX-License-Identifier: Apache-2.0
#pragma once
// Functions of one vector. Their errors are those that vector_loops_test.cc measures against double
// precision. See vector.h.

#include "isolated/engine/kernels/vector.h"

namespace casemate::engine {
namespace {

// e^x within 2 units in the last place; 0 and infinity beyond what floats hold, NaN of NaN.
// x = n ln 2 + r, and a polynomial of r by S. L. Moshier (Cephes Mathematical Library, expf).
CASEMATE_INLINE Vector exp_of(Vector x) {
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  x = x < -110.0F ? all(-110.0F) : x;
  x = x > 100.0F ? all(100.0F) : x;
  const Vector shifted = x * 1.44269504F + kRounder;
  const Bits n = __builtin_bit_cast(Bits, shifted) - __builtin_bit_cast(int32_t, kRounder);
  const Vector whole = shifted - kRounder;
  const Vector r = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
  Vector p = all(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const Vector y = p * (r * r) + r + 1.0F;
  // In two steps: 2^n alone may lie outside what a float holds.
  const Bits half = n >> 1;
  const Vector low = __builtin_bit_cast(Vector, (half + 127) << 23);
  const Vector high = __builtin_bit_cast(Vector, (n - half + 127) << 23);
  return y * low * high;
}

// erf x = x P(x^2) / Q(x^2), a rational minimax approximation (Eigen, MathFunctionsImpl.h); beyond
// 4 it is 1 to a float's precision.
CASEMATE_INLINE Vector erf_of(Vector x) {
  x = x < -4.0F ? all(-4.0F) : x;
  x = x > 4.0F ? all(4.0F) : x;
  const Vector z = x * x;
  Vector p = all(-2.72614225801306e-10F);
  p = p * z + 2.77068142495902e-08F;
  p = p * z + -2.10102402082508e-06F;
  p = p * z + -5.69250639462346e-05F;
  p = p * z + -7.34990630326855e-04F;
  p = p * z + -2.95459980854025e-03F;
  p = p * z + -1.60960333262415e-02F;
  Vector q = all(-1.45660718464996e-05F);
  q = q * z + -2.13374055278905e-04F;
  q = q * z + -1.68282697438203e-03F;
  q = q * z + -7.37332916720468e-03F;
  q = q * z + -1.42647390514189e-02F;
  return x * p / q;
}

CASEMATE_INLINE Vector gelu_of(Vector x) { return 0.5F * x * (1.0F + erf_of(x * 0.70710678F)); }

// x / 2 (1 + tanh u) = x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3).
CASEMATE_INLINE Vector gelu_tanh_of(Vector x) {
  const Vector u = 0.79788456F * x * (1.0F + 0.044715F * x * x);
  return x / (1.0F + exp_of(-2.0F * u));
}

// By its series where the quotient of exponentials would cancel.
CASEMATE_INLINE Vector tanh_of(Vector x) {
  const Vector e = exp_of(-2.0F * (x < 0.0F ? -x : x));
  const Vector large = (1.0F - e) / (1.0F + e);
  const Vector z = x * x;
  // S. L. Moshier (Cephes Mathematical Library, tanhf), for |x| < 0.625.
  Vector p = all(-5.70498872745e-3F);
  p = p * z + 2.06390887954e-2F;
  p = p * z + -5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z + -3.33332819422e-1F;
  const Vector small = p * z * x + x;
  const Vector signed_large = x < 0.0F ? -large : large;
  return z < 0.390625F ? small : signed_large;
}

CASEMATE_INLINE Vector activated(Activate function, Vector x) {
  switch (function) {
    case Activate::kRelu:
      return x < 0.0F ? Vector{} : x;
    case Activate::kTanh:
      return tanh_of(x);
    case Activate::kGelu:
      return gelu_of(x);
    case Activate::kGeluTanh:
      return gelu_tanh_of(x);
    default:
      return x;
  }
}

void activate(Activate function, const float* x, float* y, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, activated(function, load(x + i)));
  if (i < count) store_part(y + i, activated(function, load_part(x + i, count - i)), count - i);
}

}  // namespace
}  // namespace casemate::engine
