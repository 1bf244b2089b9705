// SPDX-License-Identifier: Apache-2.0
#pragma once
// Block: the memory of a small device, given out in pieces, the first gap that fits.
//
//   Owns     the memory.
//   Threads  any number.
//   Trust    needs none.
//   Fails    allocate() with kUnavailable when no gap fits.

#include <map>
#include <mutex>

#include "base/mapping.h"

namespace casemate::driver {

class Block final {
 public:
  static constexpr uint64_t kAlignment = 64;

  explicit Block(Mapping memory) : memory_(std::move(memory)) {}

  // Where `bytes` zeroed bytes begin; at least kAlignment of them are taken.
  Result<uint64_t> allocate(uint64_t bytes);
  // Requires: allocate() gave it.
  void free(uint64_t offset);
  // Requires: inside one piece.
  [[nodiscard]] MutableBytes at(uint64_t offset, uint64_t bytes) const;
  // All of it zeros. Requires: nothing is given out.
  void clear();

 private:
  Mapping memory_;
  std::mutex lock_;
  std::map<uint64_t, uint64_t> pieces_;  // by offset: bytes
};

}  // namespace casemate::driver
