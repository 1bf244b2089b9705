// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pulse: whether a device still finishes commands. A client may wait in one call for as long as all
// that it has enqueued takes, which is no hang while one command after the other ends; that one
// command does not end may be one, and how long it may take is the user's to say.
//
//   Owns     references to the events of commands that have not been seen to end.
//   Threads  any: one starts commands, another asks.
//   Trust    the device's library, as its session does.
//   Fails    never.

#include <CL/cl.h>

#include <mutex>
#include <vector>

#include "isolated/driver/opencl/server/table.h"

namespace casemate::opencl {

class Pulse final {
 public:
  // So many are looked at; of more, one in as many as need be.
  static constexpr size_t kWatchedMax = 1024;

  // A command is on its way. Takes a reference of its own.
  void started(cl_event event);
  // Whether one has ended that had not when this was asked last.
  bool beats();

 private:
  std::mutex mutex_;
  std::vector<Held<cl_event, clReleaseEvent>> watched_;
  uint64_t started_ = 0;
  uint64_t stride_ = 1;  // one in so many is watched
};

}  // namespace casemate::opencl
