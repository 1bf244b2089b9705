// SPDX-License-Identifier: Apache-2.0
// SAFETY: typed access to untyped shared memory. Indices and flags are lock-free std::atomic_ref at
// fixed, aligned offsets inside the mapping's size, which make() checks; records are copied with
// memcpy within the mapping. Record bytes may change while they are copied: that is harmless
// because only the private copy is ever looked at, and a well-behaved producer publishes the index
// after the record with release order.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <climits>
#include <cstring>
#include <ctime>

#include "base/check.h"
#include "wire/ring/ring.h"

namespace casemate::ring {
namespace {

constexpr size_t kIndex = 0;
constexpr size_t kSleeping = 64;
constexpr size_t kProgress = 128;
constexpr size_t kCore = 192;

template <class T>
std::atomic_ref<T> at(uint8_t* memory, size_t offset) {
  return std::atomic_ref<T>(*reinterpret_cast<T*>(memory + offset));
}

// The futex word is the low half of the index.
static_assert(std::endian::native == std::endian::little);

void futex_wake(uint8_t* memory) {
  ::syscall(SYS_futex, memory + kIndex, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

Result<GuardedMapping> map(int fd, Geometry geometry, bool writable) {
  if (geometry.record_count == 0 || !std::has_single_bit(geometry.record_count) ||
      geometry.record_bytes % 64 != 0 || geometry.record_bytes == 0) {
    return Error{Code::kInvalid,
                 "a ring needs a power of two of records, each a multiple of 64 bytes"};
  }
  return GuardedMapping::make(fd, geometry.size(), writable);
}

uint8_t* record_at(const GuardedMapping& memory, Geometry geometry, uint64_t index) {
  return memory.data() + kRecordsOffset +
         (index & (geometry.record_count - 1)) * geometry.record_bytes;
}

}  // namespace

Result<ProducerEnd> ProducerEnd::make(int fd, Geometry geometry) {
  ProducerEnd end;
  end.memory_ = TRY(map(fd, geometry, true));
  end.geometry_ = geometry;
  return end;
}

void ProducerEnd::write(uint64_t index, Bytes record) {
  CHECK(record.size() <= geometry_.record_bytes, "the caller cuts records to size");
  std::memcpy(record_at(memory_, geometry_, index), record.data(), record.size());
}

void ProducerEnd::publish(uint64_t index) {
  // Sequentially consistent: the store must be seen before the following look at the peer's
  // sleeping flag.
  at<uint64_t>(memory_.data(), kIndex).store(index, std::memory_order_seq_cst);
}

void ProducerEnd::wake() { futex_wake(memory_.data()); }

void ProducerEnd::close() {
  publish(kPoison);
  wake();
}

void ProducerEnd::announce_sleep(bool sleeping) {
  at<uint32_t>(memory_.data(), kSleeping).store(sleeping ? 1 : 0, std::memory_order_seq_cst);
}

void ProducerEnd::announce_core(int core) {
  at<uint32_t>(memory_.data(), kCore)
      .store(static_cast<uint32_t>(core + 1), std::memory_order_relaxed);
}

std::atomic<uint64_t>& ProducerEnd::progress() {
  static_assert(sizeof(std::atomic<uint64_t>) == 8 && std::atomic<uint64_t>::is_always_lock_free);
  return *reinterpret_cast<std::atomic<uint64_t>*>(memory_.data() + kProgress);
}

Result<ConsumerEnd> ConsumerEnd::make(int fd, Geometry geometry) {
  ConsumerEnd end;
  end.memory_ = TRY(map(fd, geometry, false));
  end.geometry_ = geometry;
  return end;
}

Untrusted<uint64_t> ConsumerEnd::index() const {
  return Untrusted(at<uint64_t>(memory_.data(), kIndex).load(std::memory_order_seq_cst));
}

bool ConsumerEnd::unchanged(uint64_t seen) const {
  return at<uint64_t>(memory_.data(), kIndex).load(std::memory_order_relaxed) == seen;
}

void ConsumerEnd::read(uint64_t index, MutableBytes record) const {
  CHECK(record.size() <= geometry_.record_bytes, "the caller asks for no more than a record");
  std::memcpy(record.data(), record_at(memory_, geometry_, index), record.size());
}

void ConsumerEnd::sleep(uint64_t seen, Duration timeout) const {
  const auto count = timeout.count();
  const timespec relative{count / 1'000'000'000, count % 1'000'000'000};
  ::syscall(SYS_futex, memory_.data() + kIndex, FUTEX_WAIT, static_cast<uint32_t>(seen), &relative,
            nullptr, 0);
}

bool ConsumerEnd::peer_sleeps() const {
  return at<uint32_t>(memory_.data(), kSleeping).load(std::memory_order_seq_cst) != 0;
}

Untrusted<int> ConsumerEnd::peer_core() const {
  return Untrusted(
      static_cast<int>(at<uint32_t>(memory_.data(), kCore).load(std::memory_order_relaxed) - 1U));
}

uint64_t ConsumerEnd::progress() const {
  return at<uint64_t>(memory_.data(), kProgress).load(std::memory_order_relaxed);
}

void poison(MutableBytes memory) {
  at<uint64_t>(memory.data(), kIndex).store(kPoison, std::memory_order_seq_cst);
  futex_wake(memory.data());
}

Pulse pulse(MutableBytes memory) {
  return {at<uint64_t>(memory.data(), kIndex).load(std::memory_order_relaxed),
          at<uint64_t>(memory.data(), kProgress).load(std::memory_order_relaxed)};
}

}  // namespace casemate::ring
