// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/draw.h"

#include "base/check.h"

namespace casemate::zoo {
namespace {

constexpr uint64_t kStep = 0x9E3779B97F4A7C15;

// Of bell(): the root of four times the variance of a uniform 16-bit number, (2^32 - 1) / 12.
constexpr double kBellDeviation = 37837.227237206481;

uint64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

// FNV-1a.
uint64_t hash_of(std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  return hash;
}

// The sum of four uniform numbers around zero (Irwin-Hall), which is nearly normal; exact in a
// float.
int32_t bell(uint64_t bits) {
  const uint64_t sum =
      (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
  return static_cast<int32_t>(sum) - 2 * 0xFFFF;
}

}  // namespace

NumberStream::NumberStream(uint64_t seed, std::string_view name)
    : key_(mixed(mixed(seed + kStep) ^ hash_of(name))) {}

uint64_t NumberStream::bits(uint64_t position) const {
  return mixed(key_ + (position + 1) * kStep);
}

void NumberStream::fill(const Draw& draw, uint64_t first, std::span<float> values) const {
  const double scale = draw.deviation / kBellDeviation;
  if (draw.centred_run == 0) {
    for (float& value : values) value = static_cast<float>(draw.mean + scale * bell(bits(first++)));
    return;
  }
  CHECK(first % draw.centred_run == 0 && values.size() % draw.centred_run == 0, "not whole runs");
  for (; !values.empty(); values = values.subspan(draw.centred_run)) {
    const std::span<float> run = values.first(draw.centred_run);
    int64_t sum = 0;
    for (float& value : run) {
      const int32_t number = bell(bits(first++));
      sum += number;
      value = static_cast<float>(number);
    }
    const double own = static_cast<double>(sum) / static_cast<double>(run.size());
    for (float& value : run) value = static_cast<float>(draw.mean + scale * (value - own));
  }
}

}  // namespace casemate::zoo
