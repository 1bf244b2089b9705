// SPDX-License-Identifier: Apache-2.0
// Connecting enclaves whose both ends run, and the "proceed" half of proceed-trap.

#include "base/format.h"
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
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (streams_.caller(i) == e || streams_.callee(i) == e) connect_stream(i);
  }
}

void Monitor::connect_stream(size_t i) {
  const SystemDescription& d = description();
  const size_t caller = streams_.caller(i);
  const size_t callee = streams_.callee(i);
  if (enclaves_[caller].life.state() != State::kRunning) return;
  if (enclaves_[callee].life.state() != State::kRunning) return tell_unavailable(i);
  auto ends = streams_.connect(i, clock_.now());
  if (!ends) return close_stream(i, ends.error().text);
  auto to_callee = control::connect_message(std::move(ends->callee), control::Role::kCallee,
                                            setup_->system.measured(callee).enclave);
  auto to_caller = control::connect_message(std::move(ends->caller), control::Role::kCaller,
                                            setup_->system.measured(caller).enclave);
  introduce(to_callee.message, d.enclaves[caller], d.streams[i].regions, caller);
  introduce(to_caller.message, d.enclaves[callee], d.streams[i].regions, callee);
  send(callee, to_callee.message, std::move(to_callee.fds));
  if (!streams_.connected(i)) return;  // telling the callee found it dead
  send(caller, to_caller.message, std::move(to_caller.fds));
}

void Monitor::revoke_streams(size_t e, Code code, std::string_view reason) {
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (streams_.caller(i) != e && streams_.callee(i) != e) continue;
    // Who was told, and is told nothing new, does not hear it again.
    if (!streams_.revoke(i) && code == Code::kPartitionFailed) continue;
    tell_disconnected(i, streams_.caller(i) == e ? streams_.callee(i) : streams_.caller(i), code,
                      reason);
  }
}

// One end of each has found that the other lied, or lies about that. Neither is restarted: either
// could make the monitor harm the other. What it costs is the stream.
void Monitor::close_streams() {
  for (const size_t i : streams_.closed()) close_stream(i, "an end of it lied");
}

// It comes back later each time, and then not until one of its ends starts again.
void Monitor::close_stream(size_t i, std::string_view why) {
  const Instant now = clock_.now();
  const auto again = streams_.fail(i, now);
  log("stream from {} to {}: closed: {}; {}", name(streams_.caller(i)), name(streams_.callee(i)),
      why,
      again ? formatted("connecting again in {} ms",
                        std::chrono::floor<std::chrono::milliseconds>(*again - now).count())
            : "it happened too often in a row, not connecting until either end starts again");
  const Code code = again ? Code::kPartitionFailed : Code::kUnavailable;
  tell_disconnected(i, streams_.callee(i), code, "the stream was closed");
  tell_disconnected(i, streams_.caller(i), code, "the stream was closed");
}

// Tells one end of a stream, if it runs, that the other is gone.
void Monitor::tell_disconnected(size_t i, size_t enclave, Code code, std::string_view reason) {
  if (enclaves_[enclave].life.state() != State::kRunning) return;
  const size_t other = streams_.caller(i) == enclave ? streams_.callee(i) : streams_.caller(i);
  control::Message message =
      control::make(control::Type::kDisconnect, setup_->system.measured(enclave).enclave);
  message.stream = static_cast<uint32_t>(i);
  message.code = static_cast<uint32_t>(code);
  message.reason = Text<256>::from(reason);
  introduce(message, description().enclaves[other], 0, other);
  send(enclave, message);
}

// A caller that has just started learns why a callee of its is not there.
void Monitor::tell_unavailable(size_t i) {
  const Enclave& callee = enclaves_[streams_.callee(i)];
  const bool starting = callee.code == Code::kOk;
  tell_disconnected(i, streams_.caller(i), starting ? Code::kPartitionFailed : callee.code,
                    starting ? "it is starting" : callee.reason.view());
}

}  // namespace casemate::monitor
