// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/generator.h"

#include <cmath>
#include <limits>

namespace casemate::engine {
namespace {

uint32_t seed_of(const Node& node) {
  constexpr int64_t kNone = std::numeric_limits<int64_t>::min();
  if (const int64_t whole = node.attributes.integer("seed", kNone); whole != kNone)
    return static_cast<uint32_t>(whole);
  // What is no number is no seed, as in the reference.
  const float real = node.attributes.real("seed", std::numeric_limits<float>::quiet_NaN());
  if (std::abs(real) < 0x1p63F) return static_cast<uint32_t>(static_cast<int64_t>(real));
  uint32_t hash = 2166136261;  // FNV-1a
  for (const char c : node.name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619;
  return hash;
}

}  // namespace

Generator::Generator(const Node& node) : Generator(seed_of(node)) {}

double Generator::uniform() {
  const uint32_t high = static_cast<uint32_t>(twister_()) >> 5;
  const uint32_t low = static_cast<uint32_t>(twister_()) >> 6;
  return (high * 0x1p26 + low) * 0x1p-53;
}

double Generator::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double x = 0;
  double y = 0;
  double square = 0;
  do {
    x = 2 * uniform() - 1;
    y = 2 * uniform() - 1;
    square = x * x + y * y;
  } while (square >= 1 || square == 0);
  const double scale = std::sqrt(-2 * std::log(square) / square);
  spare_ = scale * x;
  has_spare_ = true;
  return scale * y;
}

}  // namespace casemate::engine
