// SPDX-License-Identifier: Apache-2.0
// Connecting enclaves whose both ends run, and the "proceed" half of proceed-trap.
#include "base/log.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {
namespace {

// What an end is told about the other one.
void introduce(control::Message& message, const EnclaveDescription& other, uint32_t regions,
               size_t index) {
  message.name = other.name;
  message.kind = other.kind;
  message.model_version = other.model_version;
  message.regions = regions;
  message.ticket = index;  // by which its caller may ask for its token
}

}  // namespace

void Monitor::connect_streams(size_t e) {
  const SystemDescription& d = description();
  for (size_t i = 0; i < streams_.size(); ++i) {
    const size_t caller = streams_.caller(i);
    const size_t callee = streams_.callee(i);
    if (caller != e && callee != e) continue;
    if (enclaves_[caller].life.state() != State::kRunning) continue;
    if (enclaves_[callee].life.state() != State::kRunning) {
      tell_unavailable(i);
      continue;
    }
    auto ends = streams_.connect(i, clock_.now());
    if (!ends) {
      log("stream from {} to {}: {}", name(caller), name(callee), ends.error().text);
      continue;
    }
    auto to_callee = control::connect_message(ends->callee, control::Role::kCallee,
                                              setup_->system.measured(callee).enclave);
    auto to_caller = control::connect_message(ends->caller, control::Role::kCaller,
                                              setup_->system.measured(caller).enclave);
    introduce(to_callee.message, d.enclaves[caller], d.streams[i].regions, caller);
    introduce(to_caller.message, d.enclaves[callee], d.streams[i].regions, callee);
    send(callee, to_callee.message, to_callee.fds);
    send(caller, to_caller.message, to_caller.fds);
  }
}

void Monitor::revoke_streams(size_t e, Code code, std::string_view reason) {
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (streams_.caller(i) != e && streams_.callee(i) != e) continue;
    streams_.revoke(i);
    const size_t survivor = streams_.caller(i) == e ? streams_.callee(i) : streams_.caller(i);
    if (enclaves_[survivor].life.state() != State::kRunning) continue;
    control::Message message =
        control::make(control::Type::kDisconnect, setup_->system.measured(survivor).enclave);
    message.stream = static_cast<uint32_t>(i);
    message.code = static_cast<uint32_t>(code);
    message.reason = Text<256>::from(reason);
    introduce(message, description().enclaves[e], 0, e);
    send(survivor, message);
  }
}

// A caller that has just started learns why a callee of its is not there.
void Monitor::tell_unavailable(size_t stream) {
  const size_t caller = streams_.caller(stream);
  const size_t callee = streams_.callee(stream);
  const Enclave& other = enclaves_[callee];
  control::Message message =
      control::make(control::Type::kDisconnect, setup_->system.measured(caller).enclave);
  message.stream = static_cast<uint32_t>(stream);
  message.code =
      static_cast<uint32_t>(other.code == Code::kOk ? Code::kPartitionFailed : other.code);
  message.reason = other.code == Code::kOk ? Text<256>::from("it is starting") : other.reason;
  introduce(message, description().enclaves[callee], 0, callee);
  send(caller, message);
}

}  // namespace casemate::monitor
