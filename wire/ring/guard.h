// SPDX-License-Identifier: Apache-2.0
#pragma once
// GuardedMapping: shared memory that may vanish. When the monitor revokes a grant it shrinks the
// memfd to zero, and the next touch of any mapping of it raises SIGBUS. The guard's handler covers
// the range with private zero pages, marks the mapping failed and lets the access finish: it reads
// zeros, or writes into the void, and whoever asks failed() afterwards learns the truth. A fault
// anywhere else stays fatal.
//
//   Owns     the mapping and its entry in the process's table of guarded ranges.
//   Threads  any thread may fault; failed() may be read by all.
//   Trust    the contents are the peer's: read once, check the copy.
//   Fails    make returns kPlatform, or kTooLarge when the table is full.

#include <atomic>

#include "base/mapping.h"
#include "base/result.h"

namespace casemate {

class GuardedMapping final {
 public:
  // Entries of the table: four mappings for each of limits::kStreams streams.
  static constexpr size_t kRangesMax = 1024;

  static Result<GuardedMapping> make(int fd, size_t size, bool writable);

  GuardedMapping() = default;
  GuardedMapping(GuardedMapping&& other) noexcept;
  GuardedMapping& operator=(GuardedMapping&& other) noexcept;
  ~GuardedMapping();

  [[nodiscard]] uint8_t* data() const { return mapping_.data(); }
  [[nodiscard]] size_t size() const { return mapping_.size(); }
  [[nodiscard]] MutableBytes bytes() const { return mapping_.bytes(); }
  // True once any thread has faulted in this range. Never goes back.
  [[nodiscard]] bool failed() const;

 private:
  void release();
  Mapping mapping_;
  int entry_ = -1;
};

}  // namespace casemate
