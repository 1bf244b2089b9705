// SPDX-License-Identifier: Apache-2.0
#pragma once
// Vector: as many floats as one register of the processor holds. Included only by vector_avx512.cc,
// vector_avx2.cc and vector_baseline.cc, each of which compiles the same loops for its processors:
// CASEMATE_LANES says for how many floats. All is internal to the file that includes it.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    callers give counts that stay inside what pointers point to.
//   Fails    never.

#include <cstdint>

namespace casemate::engine {
namespace {

constexpr int64_t kLanes = CASEMATE_LANES;
using Vector = float __attribute__((vector_size(4 * CASEMATE_LANES)));
using Bits = int32_t __attribute__((vector_size(4 * CASEMATE_LANES)));

#define CASEMATE_INLINE inline __attribute__((always_inline))

// Memory of floats is aligned for floats alone.
using Unaligned [[gnu::aligned(4), gnu::may_alias]] = Vector;

CASEMATE_INLINE Vector load(const float* from) {
  return *static_cast<const Unaligned*>(static_cast<const void*>(from));
}
CASEMATE_INLINE void store(float* to, Vector value) {
  *static_cast<Unaligned*>(static_cast<void*>(to)) = value;
}
CASEMATE_INLINE Vector all(float value) { return value - Vector{}; }

// The first `count` floats, and `fill` behind them. Requires: 0 <= count <= kLanes.
CASEMATE_INLINE Vector load_part(const float* from, int64_t count, float fill = 0) {
  float part[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) part[i] = i < count ? from[i] : fill;
  return load(part);
}
CASEMATE_INLINE void store_part(float* to, Vector value, int64_t count) {
  float part[kLanes];
  store(part, value);
  for (int64_t i = 0; i < count; ++i) to[i] = part[i];
}

CASEMATE_INLINE float sum_of(Vector value) {
  float part[kLanes];
  store(part, value);
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) part[i] += part[i + half];
  }
  return part[0];
}
CASEMATE_INLINE Vector larger(Vector a, Vector b) { return a > b ? a : b; }
CASEMATE_INLINE float largest_of(Vector value) {
  float part[kLanes];
  store(part, value);
  for (int64_t i = 1; i < kLanes; ++i) part[0] = part[i] > part[0] ? part[i] : part[0];
  return part[0];
}

}  // namespace
}  // namespace casemate::engine
