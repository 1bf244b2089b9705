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

bool Pulse::due() { return commands_++ % stride_ == 0; }

void Pulse::started(Event event) {
  const std::lock_guard lock(mutex_);
  if (watched_.empty()) stride_ = 1;
  if (watched_.size() == kWatchedMax) {
    const auto middle = watched_.begin() + kWatchedMax / 2;
    if (over(middle->raw())) {
      // So are those before it, or what is left shows what becomes of them.
      watched_.erase(watched_.begin(), middle + 1);
      ended_ = true;
      stride_ = 1;
    } else {
      // All alike, since those that have waited longest end first.
      size_t at = 0;
      std::erase_if(watched_, [&](const auto&) { return at++ % 2 == 0; });
      stride_ *= 2;
    }
  }
  watched_.push_back(std::move(event));
}

bool Pulse::beats() {
  const std::lock_guard lock(mutex_);
  const bool ended =
      std::erase_if(watched_, [](const Event& event) { return over(event.raw()); }) != 0;
  return std::exchange(ended_, false) || ended;
}

}  // namespace casemate::opencl
