// SPDX-License-Identifier: Apache-2.0
#pragma once
// 16-bit floats to and from float, with integer arithmetic that compilers turn into vectors:
// without hardware that converts them, each conversion of the language is a call.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    any bits are some float.
//   Fails    never: what is too large becomes infinite, NaN stays NaN, ties go to even.

#include <bit>

#include "isolated/engine/graph/tensor.h"

namespace casemate::engine {

inline float wide_float(Bfloat16 x) {
  return std::bit_cast<float>(uint32_t{std::bit_cast<uint16_t>(x)} << 16);
}

inline float wide_float(Float16 x) {
  constexpr uint32_t kRebias = (127 - 15) << 23;
  const uint32_t bits = std::bit_cast<uint16_t>(x);
  const uint32_t exponent = bits & 0x7C00;
  const uint32_t magnitude = (bits & 0x7FFF) << 13;
  const uint32_t normal = magnitude + kRebias;
  const uint32_t infinite = normal + kRebias;  // or NaN
  // Without an exponent its fraction counts units of 2^-24.
  const float small = static_cast<float>(static_cast<int32_t>(bits & 0x3FF)) * 0x1p-24F;
  const uint32_t found = exponent == 0        ? std::bit_cast<uint32_t>(small)
                         : exponent == 0x7C00 ? infinite
                                              : normal;
  return std::bit_cast<float>(found | (bits & 0x8000) << 16);
}

template <class T>
T narrow_float(float x);

template <>
inline Bfloat16 narrow_float(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  const uint32_t nan = bits >> 16 | 0x40;
  return std::bit_cast<Bfloat16>(
      static_cast<uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? nan : rounded));
}

template <>
inline Float16 narrow_float(float x) {
  constexpr uint32_t kRebias = (127 - 15) << 23;
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  // A carry out of the fraction makes the exponent larger, up to that of infinity.
  const uint32_t normal = (magnitude - kRebias + 0xFFF + (magnitude >> 13 & 1)) >> 13;
  // The last digit of floats around 1/2 counts 2^-24, as the fraction of small ones does.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
  const uint32_t small = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5F);
  const uint32_t infinite = magnitude > 0x7F800000 ? 0x7E00 : 0x7C00;  // or NaN
  const uint32_t found = magnitude < std::bit_cast<uint32_t>(0x1p-14F)   ? small
                         : magnitude >= std::bit_cast<uint32_t>(0x1p16F) ? infinite
                                                                         : normal;
  return std::bit_cast<Float16>(static_cast<uint16_t>(found | (bits >> 16 & 0x8000)));
}

}  // namespace casemate::engine
