// SPDX-License-Identifier: Apache-2.0
#pragma once
// Loop: the gateway's event loop. Descriptors are watched edge-triggered, once, for their whole
// life, so that a request costs no call to epoll but the wait itself.
//
//   round:  look -> wait -> every ready descriptor -> everybody who asked for another turn -> due
//           timers
//
//   Owns     the epoll descriptor, not what it watches.
//   Threads  one; nothing here may be called from another.
//   Trust    none needed: what the descriptors bring is their watchers' business.
//   Fails    watch() with kPlatform; run_once() when epoll itself fails.

#include <sys/epoll.h>

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace casemate::gateway {

class Watcher {
 public:
  // `events` are EPOLL*, or 0 for a turn that again() asked for.
  virtual void ready(uint32_t events) = 0;
  // Of who is in look_at(): deals with news that may come sooner than a sleeping thread wakes.
  // True: it is worth another look soon, and so this round does not wait.
  virtual bool look() { return false; }

 protected:
  ~Watcher() = default;
};

class Loop final {
 public:
  static Result<std::unique_ptr<Loop>> make(const Clock& clock);

  // Tells `watcher` whenever one of `events` newly holds (and at once if it holds already).
  // Requires: forget() before the descriptor is closed or the watcher goes away.
  Status watch(int fd, uint32_t events, Watcher& watcher);
  void forget(int fd, Watcher& watcher);
  // Gives `watcher` a turn in the next round, behind everybody who is ready in it.
  void again(Watcher& watcher);
  // Asks `watcher` for a look before each wait, until forget().
  void look_at(Watcher& watcher) { looked_at_.push_back(&watcher); }

  // Calls `action` once, in the first round after `due`; set() moves a timer that is set.
  class Timer final {
   public:
    Timer(Loop& loop, std::function<void()> action);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    void set(Instant due);
    void clear();
    [[nodiscard]] bool pending() const { return due_ != kNever; }
    [[nodiscard]] Instant due() const { return due_; }

   private:
    friend class Loop;
    static constexpr Instant kNever = Instant::max();
    Loop& loop_;
    std::function<void()> action_;
    Instant due_ = kNever;
  };

  // One round, which waits for at most `wait_max`.
  Status run_once(Duration wait_max);
  // Rounds until stop().
  Status run();
  void stop() { stopping_ = true; }

  // When the current round began.
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }

 private:
  Loop(const Clock& clock, Fd epoll) : clock_(clock), epoll_(std::move(epoll)) {
    now_ = clock.now();
  }
  [[nodiscard]] int wait_ms(Duration wait_max) const;
  bool look();
  void run_turns();
  void run_timers();

  const Clock& clock_;
  Fd epoll_;
  Instant now_;
  bool stopping_ = false;
  // Enough that a busy round is one call, few enough that timers are not late: 64 requests of
  // 20 us.
  std::array<epoll_event, 64> events_{};
  int event_count_ = 0;
  std::vector<Watcher*> turns_;      // asked for the next round
  std::vector<Watcher*> running_;    // being given now; forgotten ones are null
  std::vector<Watcher*> looked_at_;  // forgotten ones are null until the next round
  size_t next_look_ = 0;
  std::vector<Timer*> timers_;
};

}  // namespace casemate::gateway
