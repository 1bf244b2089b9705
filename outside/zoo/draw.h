// SPDX-License-Identifier: Apache-2.0
#pragma once
// NumberStream: random weights that depend on nothing but a seed, a tensor's name and a position.
//
// Any part of any tensor can be made at any time, in pieces of any size, so weights are drawn when
// they are written and never held. The bits are SplitMix64's (Steele, Lea, Flood: "Fast splittable
// pseudorandom number generators", OOPSLA 2014, figure 14), with a key for each tensor and the
// position as counter. From them to a float there are only integer sums and operations that IEEE
// 754 defines to the last bit, no function of a mathematical library: every machine gets the same.
//
//   Owns     a key.
//   Threads  a value.
//   Trust    none needed; the numbers are no secrets.
//   Fails    cannot.

#include <cstdint>
#include <span>
#include <string_view>

namespace casemate::zoo {

// How the elements of a tensor are distributed: bell-shaped, within 3.5 deviations of the mean.
struct Draw {
  double mean = 0;
  double deviation = 1;
  // Not 0: runs of so many elements, such as a filter's, have their own mean taken off.
  uint64_t centred_run = 0;
};

class NumberStream final {
 public:
  NumberStream(uint64_t seed, std::string_view name);
  // SplitMix64 itself, seeded with `key`.
  explicit NumberStream(uint64_t key) : key_(key) {}

  // 64 random bits for each position.
  [[nodiscard]] uint64_t bits(uint64_t position) const;

  // Sets values[k] to element first + k. Requires: a centred draw is filled in whole runs.
  void fill(const Draw& draw, uint64_t first, std::span<float> values) const;

 private:
  uint64_t key_;
};

}  // namespace casemate::zoo
