// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pulse: whether a device still finishes commands. A client may wait in one call for as long as all
// that it has enqueued takes, which is no hang while one command after the other ends; that one
// command does not end may be one, and how long it may take is the user's to say.
//
//   Owns     references to the events of commands that have not been seen to end.
//   Threads  one starts commands, another asks.
//   Trust    the device's library, as its session does.
//   Fails    never.

#include <CL/cl.h>

#include <mutex>
#include <vector>

#include "isolated/driver/opencl/server/table.h"

namespace casemate::opencl {

class Pulse final {
 public:
  using Event = Held<cl_event, clReleaseEvent>;

  // So many are looked at; of more that are on their way, one in as many as need be. As long as
  // they are fewer it is each: of a few slow commands behind many fast ones, or of ones that come
  // in one go, none may be left out that takes its time.
  static constexpr size_t kWatchedMax = 1024;

  // Whether the next command is looked at: only then it needs an event, for started().
  [[nodiscard]] bool due();
  void started(Event event);
  // Whether one has ended that had not when this was asked last.
  bool beats();

 private:
  std::mutex mutex_;
  std::vector<Event> watched_;  // those that have waited longest first
  bool ended_ = false;          // one has, and is watched no more
  // Of the thread that starts commands.
  uint64_t commands_ = 0;
  uint64_t stride_ = 1;  // one in so many is watched
};

}  // namespace casemate::opencl
