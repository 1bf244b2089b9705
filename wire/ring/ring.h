// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ring: one direction of a stream, a single-producer single-consumer ring of fixed-size records in
// a memfd of its own. The producer's descriptor is read-write, the consumer's read-only, so "single
// writer" is kept by the kernel.
//
//      0  index      how many records were published; also the consumer's futex word
//     64  sleeping   1 while the producer (who is the consumer of the other ring) sleeps
//    128  progress   bumped by the producer while it works: tells long work from a hang
//    192  core       1 + the core that the producer runs on; 0 when it does not say
//   4096  records    record_count * record_bytes
//
// To revoke a stream the monitor writes kPoison as both indices, wakes both sleepers and shrinks
// both memfds to zero. An end that was lied to writes it as its own index, where the other end and
// the monitor see it. An index that is poison, runs backwards or overtakes means that the stream
// has failed.
//
//   Owns     its mapping.
//   Threads  one thread per end.
//   Trust    a ConsumerEnd reads what a peer writes: indices come as Untrusted, records as private
//            copies.
//   Fails    nothing throws or blocks beyond the given time; failed() tells that the memory is
//            gone.

#include <cstdint>

#include "base/clock.h"
#include "base/untrusted.h"
#include "wire/ring/guard.h"

namespace casemate::ring {

inline constexpr uint64_t kPoison = ~uint64_t{0};
inline constexpr size_t kRecordsOffset = 4096;

// Shape of one ring. Both ends are told it by the monitor, never by the shared memory itself.
struct Geometry {
  uint32_t record_count = 0;  // a power of two
  uint32_t record_bytes = 0;  // a multiple of 64
  [[nodiscard]] size_t size() const { return kRecordsOffset + size_t{record_count} * record_bytes; }
};

class ProducerEnd final {
 public:
  static Result<ProducerEnd> make(int fd, Geometry geometry);

  // Requires: record.size() <= record_bytes, and the consumer has consumed `index - record_count`.
  void write(uint64_t index, Bytes record);
  // Makes everything before `index` visible, then wakes a sleeping consumer if `consumer_sleeps`.
  void publish(uint64_t index);
  void wake();
  // Publishes kPoison and wakes the consumer: nothing further will come.
  void close();
  void announce_sleep(bool sleeping);
  // Says which core this side runs on, for a peer that would rather sleep there, or not run there
  // (srpc::spinning_on()); -1: none.
  void announce_core(int core);
  // Count up while working: it lies in the shared memory, where the monitor looks.
  [[nodiscard]] std::atomic<uint64_t>& progress();
  [[nodiscard]] bool failed() const { return memory_.failed(); }

 private:
  GuardedMapping memory_;
  Geometry geometry_;
};

class ConsumerEnd final {
 public:
  static Result<ConsumerEnd> make(int fd, Geometry geometry);

  [[nodiscard]] Untrusted<uint64_t> index() const;
  // True while the index still reads `seen`: the cheap test of a spinning loop.
  [[nodiscard]] bool unchanged(uint64_t seen) const;
  // Copies record `index` into `record`. Requires: record.size() <= record_bytes.
  void read(uint64_t index, MutableBytes record) const;
  // Sleeps while the index is `seen`, at most `timeout`.
  void sleep(uint64_t seen, Duration timeout) const;
  [[nodiscard]] bool peer_sleeps() const;
  // The core that the peer says it runs on, as it announced it.
  [[nodiscard]] Untrusted<int> peer_core() const;
  [[nodiscard]] uint64_t progress() const;
  [[nodiscard]] bool failed() const { return memory_.failed(); }

 private:
  GuardedMapping memory_;
  Geometry geometry_;
};

// What the monitor does to a ring's memory before it shrinks it. Requires: `memory` is the whole
// ring, writable.
void poison(MutableBytes memory);
// What the monitor reads to tell a hang from work: {index, progress}.
struct Pulse {
  uint64_t index = 0;
  uint64_t progress = 0;
  bool operator==(const Pulse&) const = default;
};
Pulse pulse(MutableBytes memory);

}  // namespace casemate::ring
