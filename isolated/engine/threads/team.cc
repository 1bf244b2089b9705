// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/threads/team.h"

#include <immintrin.h>
#include <sched.h>

#include <thread>

#include "base/clock.h"

namespace casemate::engine {
namespace {

// Longer than what lies between the loops of a model, shorter than a neighbour would notice.
constexpr Duration kSpin = std::chrono::microseconds(50);
// Looking at the clock costs more than looking at a cache line.
constexpr int kSpinsPerClock = 64;
// Then the other thread may be waiting for this one's core.
constexpr int kSpinsPerYield = 1000;

// Waits until `state` is no longer `seen`.
uint32_t await_change(const std::atomic<uint32_t>& state, uint32_t seen) {
  const Instant end = system_clock().now() + kSpin;
  do {
    for (int i = 0; i < kSpinsPerClock; ++i) {
      const uint32_t now = state.load(std::memory_order_acquire);
      if (now != seen) return now;
      _mm_pause();
    }
  } while (system_clock().now() < end);
  state.wait(seen, std::memory_order_acquire);
  return state.load(std::memory_order_acquire);
}

// Keeps the thread that made it off one core.
class Elsewhere final {
 public:
  Elsewhere() {
    if (::sched_getaffinity(0, sizeof allowed_, &allowed_) != 0) CPU_ZERO(&allowed_);
  }

  void keep_off(int core) const {
    if (core < 0 || core >= CPU_SETSIZE || core != ::sched_getcpu()) return;
    cpu_set_t others = allowed_;
    CPU_CLR(static_cast<size_t>(core), &others);
    if (CPU_COUNT(&others) > 0) ::sched_setaffinity(0, sizeof others, &others);
  }

 private:
  cpu_set_t allowed_{};
};

}  // namespace

void Backoff::wait() {
  if (++steps_ % kSpinsPerYield == 0) {
    ::sched_yield();
  } else {
    _mm_pause();
  }
}

Team& Team::instance() {
  static auto* const team = new Team;  // its threads may run until the process has ended
  return *team;
}

void Team::start(int count) {
  while (static_cast<int>(seats_.size()) < count - 1) {
    Seat& seat = seats_.emplace_back();
    const int thread = static_cast<int>(seats_.size());
    std::thread([this, &seat, thread] { serve(seat, thread); }).detach();
  }
}

void Team::serve(Seat& seat, int thread) noexcept {
  uint32_t seen = kIdle;
  const Elsewhere elsewhere;
  while (true) {
    seen = await_change(seat.state, seen);
    elsewhere.keep_off(core_.load(std::memory_order_relaxed));
    while (seen % 4 == kOffered) {
      // The caller may have taken it back, and offered something else.
      const uint32_t begun = seen - kOffered + kBegun;
      if (!seat.state.compare_exchange_strong(seen, begun, std::memory_order_acquire)) continue;
      work_(context_, thread);
      seen = begun - kBegun + kIdle;
      seat.state.store(seen, std::memory_order_release);
    }
  }
}

void Team::offer(void (*work)(void* context, int thread), void* context, int count,
                 Who who) noexcept {
  start(count);
  work_ = work;
  context_ = context;
  core_.store(::sched_getcpu(), std::memory_order_relaxed);
  const uint32_t idle = ++number_ * 4;
  for (int i = 0; i < count - 1; ++i) {
    Seat& seat = seats_[static_cast<size_t>(i)];
    seat.state.store(idle + kOffered, std::memory_order_seq_cst);
    seat.state.notify_one();
  }
  work(context, 0);
  for (int i = 0; i < count - 1; ++i) {
    std::atomic<uint32_t>& state = seats_[static_cast<size_t>(i)].state;
    uint32_t offered = idle + kOffered;
    if (who == Who::kWhoComes && state.compare_exchange_strong(offered, idle)) continue;
    Backoff backoff;
    while (state.load(std::memory_order_acquire) != idle) backoff.wait();
  }
}

bool Team::run(void (*work)(void* context, int thread), void* context, int count, Who who) {
  const std::unique_lock lock(taken_, std::try_to_lock);
  if (lock.owns_lock()) offer(work, context, count, who);
  return lock.owns_lock();
}

void Team::wait_and_run(void (*work)(void* context, int thread), void* context, int count) {
  const std::unique_lock lock(taken_);
  offer(work, context, count, Who::kAll);
}

}  // namespace casemate::engine
