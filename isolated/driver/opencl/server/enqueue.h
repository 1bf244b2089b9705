// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every command of a Session goes through: its queue and events are found, the real call is
// made, and its event or its error goes into the table.

#include "isolated/driver/opencl/server/session.h"

namespace casemate::opencl {

template <class Enqueue>
Answer Session::enqueue(const Command& command, Enqueue&& real, Part part) {
  const bool follows = part == Part::kMiddle || part == Part::kLast;
  const EventEntry* before = command.event == 0 ? nullptr : events_.find(command.event);
  if (follows ? before == nullptr : command.event != 0 && !events_.takes(command.event))
    return malformed();
  Started started;
  cl_int status = begin(command, started);
  // Another part of a command that has failed, or that is to run behind what is there.
  if (follows && status == CL_SUCCESS) status = before->error;
  if (follows && status == CL_SUCCESS) {
    started.waits[0] = before->object.raw();
    started.wait_count = 1;
  }
  // Where the program wants no event, one is taken only to be looked at, and given away.
  const bool watched = pulse_ != nullptr && pulse_->due();
  cl_event event = nullptr;
  if (command.event != 0 || watched) started.event = &event;
  if (status == CL_SUCCESS) status = real(started);
  if (watched && event != nullptr && (command.event == 0 || clRetainEvent(event) == CL_SUCCESS))
    pulse_->started(Event(event));
  if (command.event != 0) record(command, part, status, event);
  return done(status);
}

// Small data is copied, and the command waits for its turn by itself. What is large is read where
// the client put it, which is in order only when nothing else has to go on meanwhile.
template <class Transfer>
cl_int Session::transfer_in(Started& started, const Region& data, Transfer&& real) {
  constexpr uint64_t kSmall = 64 << 10;
  const uint8_t* source = in_.data() + data.offset;
  if (data.size > kSmall && open_events_ == 0 && queues_.size() <= 1)
    return real(CL_TRUE, source, started.event);
  forget_staged();
  std::unique_ptr<uint8_t[]> copy(new (std::nothrow) uint8_t[data.size]);
  if (copy == nullptr) return CL_OUT_OF_HOST_MEMORY;
  std::copy_n(source, data.size, copy.get());
  cl_event own = nullptr;
  cl_event* event = started.event == nullptr ? &own : started.event;
  const cl_int status = real(CL_FALSE, copy.get(), event);
  if (status != CL_SUCCESS) return status;
  if (own == nullptr) static_cast<void>(clRetainEvent(*event));
  staged_.push_back({Event(*event), std::move(copy)});
  return clFlush(started.queue);
}

}  // namespace casemate::opencl
