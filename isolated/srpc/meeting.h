// SPDX-License-Identifier: Apache-2.0
#pragma once
// Meeting: where a callee sleeps. To wake a thread on an idle core takes tens of microseconds, most
// of it in a virtual machine whose idle cores are halted; to wake one on the waker's own core takes
// two. So a callee whose calls are short sleeps on its caller's core and does not spin there. Calls
// that are long, or that queue up, are worth a core of their own: then it may run anywhere again.
// A caller that spins keeps its core to itself: the callee runs on any other, since two that spin
// on one core wait for each other's time slices.
//
//   Owns     the affinity of the thread that made it.
//   Threads  used by that thread alone, which must not start others: they would inherit the core.
//   Trust    the caller's core is a hint of a peer: a lie moves the callee between cores that it
//            may use anyway, and costs time.
//   Fails    never: where the kernel refuses a core the callee stays where it is.

#include <sched.h>

#include "base/clock.h"
#include "base/untrusted.h"

namespace casemate::srpc {

// What a caller announces that spins on `core`; one that sleeps announces the core itself, and -1
// says nothing.
constexpr int spinning_on(int core) { return -2 - core; }

class Meeting final {
 public:
  Meeting() = default;
  static Meeting of_this_thread();

  // The callee is about to wait for a call, spinning at first or not.
  void before_wait(Untrusted<int> peer_core);
  // It is about to sleep.
  void before_sleep(Untrusted<int> peer_core, Instant now);
  // It took a call, and `waiting` more are there already.
  void begin(uint64_t waiting, Instant now);
  void end(Instant now);

  [[nodiscard]] bool met() const { return core_ >= 0; }
  // How long to spin for the next call. The caller of a long one has fallen asleep over it: the
  // callee stays awake until the caller is, for a sixteenth of its core and no longer than that
  // takes.
  [[nodiscard]] Duration spin(Duration least) const;

 private:
  void part(Instant now);
  void hold(const cpu_set_t& cores, int core, int avoided);

  cpu_set_t allowed_{};
  int core_ = -1;     // where the thread is held; -1: anywhere allowed
  int avoided_ = -1;  // where its caller spins, and it does not run
  uint32_t queued_ = 0;
  Duration mean_{};
  Instant begun_{};
  Instant not_before_{};
};

}  // namespace casemate::srpc
