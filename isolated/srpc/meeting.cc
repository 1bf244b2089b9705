// SPDX-License-Identifier: Apache-2.0
#include "isolated/srpc/meeting.h"

#include <algorithm>

namespace casemate::srpc {
namespace {

// A call this long gains little from a quick wake-up, and its caller wants its core back meanwhile.
constexpr Duration kShort = std::chrono::microseconds(200);
// So many calls in a row that were there before the last one ended: the caller has work for two.
constexpr uint32_t kQueuedMax = 4;
// After parting, before the next attempt: moving costs about as much as a slow wake-up.
constexpr Duration kApart = std::chrono::milliseconds(10);
// A few times what it takes to wake a thread on a virtual machine.
constexpr Duration kSpinMax = std::chrono::microseconds(200);

}  // namespace

Meeting Meeting::of_this_thread() {
  // Asked once: a thread that is held on a core when its stream fails still knows where it may run.
  static thread_local const cpu_set_t allowed = [] {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) != 0) CPU_ZERO(&set);
    return set;
  }();
  // An earlier stream of this thread may have held it.
  ::sched_setaffinity(0, sizeof allowed, &allowed);
  Meeting meeting;
  meeting.allowed_ = allowed;
  return meeting;
}

void Meeting::hold(const cpu_set_t& cores, int core, int avoided) {
  if (::sched_setaffinity(0, sizeof cores, &cores) != 0) return;
  core_ = core;
  avoided_ = avoided;
}

void Meeting::before_wait(Untrusted<int> peer_core) {
  const auto spins = peer_core.check(
      [](int v) { return v <= spinning_on(0) && v >= spinning_on(CPU_SETSIZE - 1); });
  const int core = spins ? spinning_on(*spins) : -1;
  if (core == avoided_) return;
  if (core < 0) return hold(allowed_, -1, -1);
  // Only where they are on one core, and there is another.
  if (core != core_ && core != ::sched_getcpu()) return;
  cpu_set_t others = allowed_;
  CPU_CLR(static_cast<size_t>(core), &others);
  if (CPU_COUNT(&others) > 0) hold(others, -1, core);
}

void Meeting::before_sleep(Untrusted<int> peer_core, Instant now) {
  const auto core = peer_core.check([&](int v) {
    return v >= 0 && v < CPU_SETSIZE && CPU_ISSET(static_cast<size_t>(v), &allowed_);
  });
  if (!core && met()) return part(now);  // the caller spins now, or says nonsense
  if (!core || *core == core_ || now < not_before_ || mean_ > kShort) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(*core), &one);
  hold(one, *core, -1);
}

void Meeting::begin(uint64_t waiting, Instant now) {
  begun_ = now;
  queued_ = waiting > 0 ? queued_ + 1 : 0;
  if (met() && queued_ >= kQueuedMax) part(now);
}

void Meeting::end(Instant now) {
  mean_ += (now - begun_ - mean_) / 8;
  if (met() && mean_ > kShort) part(now);
}

Duration Meeting::spin(Duration least) const {
  return least.count() == 0 ? least : std::max(least, std::min(mean_ / 16, kSpinMax));
}

void Meeting::part(Instant now) {
  hold(allowed_, -1, -1);
  queued_ = 0;
  not_before_ = now + kApart;
}

}  // namespace casemate::srpc
