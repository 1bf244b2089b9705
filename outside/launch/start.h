// SPDX-License-Identifier: Apache-2.0
#pragma once
// RunningSystem: a monitor that this process has started, and the way to talk to it.
//
//   Owns     the monitor's process and the run folder; both end with it.
//   Threads  one.
//   Trust    the monitor is trusted with everything; this process with nothing but starting it.
//   Fails    with what could not be made; then nothing is left behind.

#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "outside/launch/operator.h"
#include "outside/launch/run_place.h"
#include "outside/launch/system_file.h"
#include "wire/abi/system.h"

namespace casemate::launch {

// $CASEMATE_STATE or a folder in the user's state folder, which only its owner can enter: where the
// development root's seed, key and certificates survive, which are made at the first start of a
// system with that root.
Result<std::string> state_folder();

// Descriptors of this process that take lines; -1: its own stderr.
struct Outputs {
  int monitor = -1;
  int enclaves = -1;  // of those that are debugged
};

class RunningSystem final {
 public:
  // Ending all partitions takes milliseconds.
  static constexpr std::chrono::seconds kStopPatience{10};

  static Result<RunningSystem> start(const SystemDescription& description,
                                     const GatewaySettings& gateway, const std::string& programs,
                                     const Outputs& outputs = {});
  // The same with whatever its first enclave is to be reached by.
  static Result<RunningSystem> start(const SystemDescription& description, const Fd& listener,
                                     const std::string& programs, const Outputs& outputs = {});
  RunningSystem(RunningSystem&&) noexcept;
  RunningSystem& operator=(RunningSystem&&) = delete;
  // As stop().
  ~RunningSystem();

  // The operator's socket, which `casemate status` and `casemate kill` find by itself.
  [[nodiscard]] const std::string& socket_path() const { return socket_; }
  // Where the gateway listens, with the port that was given for port 0.
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] pid_t monitor() const { return monitor_; }
  // Asks the monitor to stop and waits for that; after kStopPatience kills it, which is a failure
  // that is told.
  Status stop();
  // The exit code of a monitor that has ended, waiting for that if it has not.
  int collect();

 private:
  explicit RunningSystem(RunPlace place) : place_(std::move(place)) {}
  [[nodiscard]] bool ends_within(Duration patience) const;
  pid_t monitor_ = -1;
  RunPlace place_;
  std::string socket_;
  std::string address_;
};

}  // namespace casemate::launch
