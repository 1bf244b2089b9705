// SPDX-License-Identifier: Apache-2.0
#pragma once
// WeightStore: packed weights of a model in a memfd, written once, then sealed.
//
//   |<------------------ reserved range, bytes_max ----------------->|
//   | piece | piece | piece |  free, backed up to a 2 MiB boundary   |  not backed: SIGBUS
//           ^ every piece starts on 64 bytes
//
// Pieces keep their address when the store is sealed and across fork(), where all processes share
// the physical pages.
//
//   Owns     the address range and the memory behind it; a descriptor until it is sealed.
//   Threads  one thread allocates; after seal() any number of threads and processes read.
//   Trust    before seal() as any memory; after it the kernel refuses every write, whoever asks.
//   Fails    kTooLarge beyond bytes_max, kPlatform when the kernel refuses; a write after seal() is
//            SIGSEGV.

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace casemate::tensors {

class WeightStore final {
 public:
  // A cache line, and the widest vector that a kernel loads.
  static constexpr uint64_t kAlignment = 64;
  // Growth and placement in steps of a huge page, so the kernel can back the store with them.
  static constexpr uint64_t kHugePage = 2ull << 20;

  // An empty store that can hold up to `bytes_max` bytes; only address space is taken now.
  static Result<WeightStore> make(uint64_t bytes_max);

  WeightStore() = default;
  WeightStore(WeightStore&& other) noexcept;
  WeightStore& operator=(WeightStore&& other) noexcept;
  ~WeightStore();

  // `size` zeroed bytes, aligned to kAlignment, valid until the store goes away. Requires:
  // !sealed().
  Result<MutableBytes> allocate(uint64_t size);

  // Makes every piece read-only, in place, for ever. Requires: !sealed().
  Status seal();

  [[nodiscard]] bool sealed() const { return sealed_; }
  // Bytes handed out so far, with the gaps that alignment cost.
  [[nodiscard]] uint64_t used() const { return used_; }

 private:
  WeightStore(Fd fd, uint8_t* base, uint64_t reserved, uint64_t bytes_max)
      : fd_(std::move(fd)), base_(base), reserved_(reserved), bytes_max_(bytes_max) {}

  Fd fd_;
  uint8_t* base_ = nullptr;  // start of the reserved range
  uint64_t reserved_ = 0;    // its length, a multiple of kHugePage
  uint64_t bytes_max_ = 0;   // how much of it may be handed out
  uint64_t backed_ = 0;      // how much of it the memfd covers
  uint64_t used_ = 0;
  bool sealed_ = false;
};

}  // namespace casemate::tensors
