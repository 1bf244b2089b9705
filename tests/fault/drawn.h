// SPDX-License-Identifier: Apache-2.0
#pragma once
// drawn(): the cells of a table that this run tries: a few, drawn by a seed that is printed and
// that CASEMATE_SEED sets; all of them where CASEMATE_WHOLE is set (`./dev test --whole`).
//
//   Owns     nothing.
//   Threads  one.
//   Trust    none is needed.
//   Fails    nothing can.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace casemate::tests {

inline bool whole() { return std::getenv("CASEMATE_WHOLE") != nullptr; }

inline std::mt19937_64& chance() {
  static std::mt19937_64 engine = [] {
    const char* set = std::getenv("CASEMATE_SEED");
    const uint64_t seed =
        set != nullptr ? std::strtoull(set, nullptr, 10) : uint64_t{std::random_device{}()};
    std::printf("drawn with CASEMATE_SEED=%llu\n", static_cast<unsigned long long>(seed));
    return std::mt19937_64(seed);
  }();
  return engine;
}

// In the order in which they stand.
template <class Cell>
std::vector<Cell> drawn(const std::vector<Cell>& all, size_t count) {
  if (whole()) return all;
  std::vector<Cell> some;
  std::sample(all.begin(), all.end(), std::back_inserter(some), count, chance());
  return some;
}

}  // namespace casemate::tests
