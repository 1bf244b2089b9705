// SPDX-License-Identifier: Apache-2.0
#pragma once
// Deadlines: when connections run out of patience. Each kind has one duration, so a list in the
// order of entry is a list in the order of expiry: entering, leaving and finding the next are O(1).
//
//   Owns     nothing: entries are parts of connections and streams, and leave the list with them.
//   Threads  one.
//   Trust    none needed.
//   Fails    never.

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "base/clock.h"

namespace casemate::gateway {

enum class Wait : uint8_t { kHandshake, kIdle, kHead, kBody, kSend, kLinger };
inline constexpr size_t kWaits = 6;

struct Deadline
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  // May destroy it.
  virtual void expired() = 0;
  Wait wait = Wait::kHandshake;
  Instant due{};

 protected:
  ~Deadline() = default;
};

class DeadlineLists final {
 public:
  explicit DeadlineLists(const std::array<Duration, kWaits>& durations) : durations_(durations) {}

  void enter(Deadline& deadline, Wait wait, Instant now) {
    deadline.unlink();
    deadline.wait = wait;
    deadline.due = now + durations_[static_cast<size_t>(wait)];
    list(wait).push_back(deadline);
  }
  // The entry of that kind that expires first, or has; nullptr when there is none.
  Deadline* first(Wait wait) { return list(wait).empty() ? nullptr : &list(wait).front(); }
  // The earliest expiry of all.
  [[nodiscard]] Instant next() const {
    Instant next = Instant::max();
    for (const List& list : lists_)
      if (!list.empty()) next = std::min(next, list.front().due);
    return next;
  }

 private:
  using List = boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>>;
  List& list(Wait wait) { return lists_[static_cast<size_t>(wait)]; }
  std::array<Duration, kWaits> durations_;
  std::array<List, kWaits> lists_;
};

}  // namespace casemate::gateway
