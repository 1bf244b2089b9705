// SPDX-License-Identifier: Apache-2.0
#pragma once
// Body: the bytes of one request, counted against what all requests together may hold.
//
//   Owns     its memory; a Body gives back to its Budget what it took. Memory is not cleared first
//            and grows as bytes arrive, so a client pays for what it sends, not for what it
//            announces.
//   Threads  one.
//   Trust    sizes are a client's: `limit` holds for every body.
//   Fails    grow functions return false, and take nothing, when a bound is reached.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/bytes.h"

namespace casemate::gateway {

// Bytes that may be held for all clients together. An eighth is kept for what is small, so that a
// few clients with large bodies that never end do not keep everybody else out.
class Budget final {
 public:
  static constexpr uint64_t kSmall = 64 << 10;
  explicit Budget(uint64_t limit) : limit_(limit), limit_large_(limit - limit / 8) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // `whole` is the size of what they are a part of.
  bool take(uint64_t bytes, uint64_t whole) {
    if (!admits(bytes, whole)) return false;
    used_ += bytes;
    return true;
  }
  void give(uint64_t bytes) { used_ -= bytes; }
  [[nodiscard]] bool admits(uint64_t bytes, uint64_t whole) const {
    const uint64_t limit = whole > kSmall ? limit_large_ : limit_;
    return used_ <= limit && bytes <= limit - used_;
  }
  [[nodiscard]] uint64_t used() const { return used_; }

 private:
  uint64_t limit_;
  uint64_t limit_large_;
  uint64_t used_ = 0;
};

// A part of a budget that is given back when it goes away.
class Share final {
 public:
  Share() = default;
  Share(Share&& other) noexcept { swap(other); }
  Share& operator=(Share&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Share() {
    if (budget_ != nullptr) budget_->give(bytes_);
  }
  // Adds to what is held. Requires: always the same budget.
  bool take(Budget& budget, uint64_t bytes, uint64_t whole) {
    if (!budget.take(bytes, whole)) return false;
    budget_ = &budget;
    bytes_ += bytes;
    return true;
  }

 private:
  void swap(Share& other) {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
  }
  Budget* budget_ = nullptr;
  uint64_t bytes_ = 0;
};

class Body final {
 public:
  Body() = default;
  // Holds at most `limit` bytes; `expected` is how many will come, if that is known, or 0.
  Body(Budget& budget, uint64_t limit, uint64_t expected = 0)
      : budget_(&budget), limit_(limit), expected_(expected) {}
  Body(Body&&) noexcept = default;
  Body& operator=(Body&&) noexcept = default;

  [[nodiscard]] Bytes bytes() const { return {data_.get(), size_}; }
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] uint64_t limit() const { return limit_; }

  // Memory behind the last byte, of which commit() then takes some. Empty when a bound is reached.
  MutableBytes space();
  void commit(uint64_t bytes) { size_ += bytes; }
  bool append(Bytes bytes);
  // Gives everything back, the memory included.
  void clear() {
    data_.reset();
    share_ = Share();
    size_ = capacity_ = 0;
  }
  // Takes from the same budget, for what is derived from this body.
  bool take_also(uint64_t bytes) { return share_.take(*budget_, bytes, bytes); }
  [[nodiscard]] bool full() const { return size_ == limit_; }

 private:
  bool grow();
  Budget* budget_ = nullptr;
  Share share_;
  uint64_t limit_ = 0;
  uint64_t expected_ = 0;
  std::unique_ptr<uint8_t[]> data_;
  uint64_t size_ = 0;
  uint64_t capacity_ = 0;
};

}  // namespace casemate::gateway
