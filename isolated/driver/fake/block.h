// SPDX-License-Identifier: Apache-2.0
#pragma once
// Block: the memory of a small device, given out in pieces.
//
//   Owns     the memory.
//   Threads  any number.
//   Trust    needs none.
//   Fails    allocate() with kUnavailable when no gap fits.

#include <algorithm>

#include "base/mapping.h"
#include "isolated/driver/serial/places.h"

namespace casemate::driver {

class Block final {
 public:
  static constexpr uint64_t kAlignment = 64;

  explicit Block(Mapping memory)
      : memory_(std::move(memory)), places_(memory_.size(), kAlignment) {}

  // Where `bytes` zeroed bytes begin; at least kAlignment of them are taken.
  Result<uint64_t> allocate(uint64_t bytes) {
    const uint64_t begin = TRY(places_.take(bytes));
    std::ranges::fill(at(begin, places_.bytes_taken(bytes)), uint8_t{0});
    return begin;
  }
  // Requires: allocate() gave it.
  void free(uint64_t offset) { places_.give_back(offset); }
  // Requires: inside one piece.
  [[nodiscard]] MutableBytes at(uint64_t offset, uint64_t bytes) const {
    return memory_.bytes().subspan(offset, bytes);
  }
  // All of it zeros. Requires: nothing is given out.
  void clear() { std::ranges::fill(memory_.bytes(), uint8_t{0}); }

 private:
  Mapping memory_;
  Places places_;
};

}  // namespace casemate::driver
