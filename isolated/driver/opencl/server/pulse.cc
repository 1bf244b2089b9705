// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/server/pulse.h"

namespace casemate::opencl {
namespace {

bool over(cl_event event) {
  cl_int state = CL_COMPLETE;
  const cl_int asked =
      clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, nullptr);
  return asked != CL_SUCCESS || state <= CL_COMPLETE;
}

}  // namespace

void Pulse::started(cl_event event) {
  const std::lock_guard lock(mutex_);
  if (watched_.empty()) stride_ = 1;
  if (watched_.size() == kWatchedMax) {
    // All alike, since those that have waited longest end first.
    size_t at = 0;
    std::erase_if(watched_, [&](const auto&) { return at++ % 2 == 0; });
    stride_ *= 2;
  }
  if (started_++ % stride_ == 0 && clRetainEvent(event) == CL_SUCCESS) watched_.emplace_back(event);
}

bool Pulse::beats() {
  const std::lock_guard lock(mutex_);
  return std::erase_if(watched_, [](const auto& event) { return over(event.raw()); }) != 0;
}

}  // namespace casemate::opencl
