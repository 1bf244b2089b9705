// SPDX-License-Identifier: Apache-2.0
#pragma once
// Team: threads that work for one caller at a time. Between two pieces of work, most of which take
// less than it takes to wake a thread, they spin; soon they sleep. A caller that is done waits for
// those that have begun and for nobody else: one that the system lets wait holds nobody up. A
// thread that wakes on its caller's core moves to another: the system sees no reason to, since the
// two want the core together for moments only.
//
//   Owns     its threads, which live as long as the process. They are started when they are first
//            needed, with the caller's floating-point modes.
//   Threads  one caller at a time has it.
//   Trust    needs none.
//   Fails    a thread that cannot be started stops the process: see Executor::make(). So does work
//            that throws: the others may still be at it.

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

namespace casemate::engine {

class Team final {
 public:
  static Team& instance();

  enum class Who : uint8_t {
    kAll,       // each of them works, whoever waits for whom
    kWhoComes,  // those that have not begun when the caller is done need not any more
  };
  // Calls work(context, i) on the calling thread, which is 0, and on threads 1 to count - 1, and
  // returns when all calls have. False where another caller has the team, and nothing was called.
  bool run(void (*work)(void* context, int thread), void* context, int count, Who who);
  // The same, but waits until the team is free.
  void wait_and_run(void (*work)(void* context, int thread), void* context, int count);

 private:
  // A thread's: `state` is the number of the work, times four, and how far it is.
  struct alignas(128) Seat {
    std::atomic<uint32_t> state = 0;
  };
  enum Phase : uint32_t { kIdle = 0, kOffered = 1, kBegun = 2 };

  void start(int count);
  void serve(Seat& seat, int thread) noexcept;
  void offer(void (*work)(void* context, int thread), void* context, int count, Who who) noexcept;

  std::mutex taken_;
  std::deque<Seat> seats_;  // of threads 1, 2, ...
  uint32_t number_ = 0;
  std::atomic<int> core_ = -1;  // the caller's
  void (*work_)(void* context, int thread) = nullptr;
  void* context_ = nullptr;
};

// One step of waiting for another thread: spins first, and then lets others have the core.
class Backoff final {
 public:
  void wait();

 private:
  int steps_ = 0;
};

}  // namespace casemate::engine
