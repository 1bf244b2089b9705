// SPDX-License-Identifier: Apache-2.0
#pragma once
// Places: which parts of a memory are given out; the first gap that fits is the next.
//
//   Owns     numbers; the memory is somebody else's.
//   Threads  any number.
//   Trust    needs none.
//   Fails    take() with kUnavailable when no gap fits.

#include <map>
#include <mutex>

#include "base/result.h"

namespace casemate::driver {

class Places final {
 public:
  // Parts begin at multiples of the alignment, and so do the gaps between them.
  Places(uint64_t bytes, uint64_t alignment) : bytes_(bytes), alignment_(alignment) {}

  // Where the part begins; what it takes is bytes_taken().
  Result<uint64_t> take(uint64_t bytes);
  // Requires: take() gave it.
  void give_back(uint64_t begin);
  // At least one alignment.
  [[nodiscard]] uint64_t bytes_taken(uint64_t bytes) const;

 private:
  uint64_t bytes_;
  uint64_t alignment_;
  std::mutex lock_;
  std::map<uint64_t, uint64_t> parts_;  // by where they begin: bytes
};

}  // namespace casemate::driver
