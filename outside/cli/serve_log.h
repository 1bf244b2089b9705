// SPDX-License-Identifier: Apache-2.0
#pragma once
// ServeLog: what `casemate serve` writes: text for people, or one JSON object per line on stderr.
//
//   Owns     the pipes that the monitor and debugged enclaves write into, and who reads them.
//   Threads  any number write; each line is written at once.
//   Trust    what enclaves write is a stranger's: it becomes one printable line that says whose it
//            is, and can be no other line.
//   Fails    open() with kPlatform.

#include <memory>
#include <mutex>

#include "outside/cli/command.h"
#include "outside/launch/start.h"
#include "outside/log/events.h"
#include "outside/log/pump.h"
#include "wire/abi/system.h"

namespace casemate::cli {

class ServeLog final {
 public:
  ServeLog(bool json, Streams streams) : json_(json), streams_(streams) {}

  // The descriptors that a system is started with. Requires: called once, before listen().
  Result<launch::Outputs> open(const SystemDescription& description);
  // Begins to read. Requires: the system has been started, and this process has no more to fork.
  void listen();
  // Writes what was still under way.
  void close();

  void warn(const std::string& text);
  // Returns the exit code.
  int fail(const Error& error);
  void serving(const std::string& url, const operating::Reply& status);

 private:
  void write(const log_events::Event& event);
  void take_monitor(std::string_view line);
  void take_enclave(std::string_view line);
  [[nodiscard]] std::string partition_of(const std::string& enclave) const;

  bool json_;
  Streams streams_;
  std::mutex lock_;
  const SystemDescription* description_ = nullptr;
  std::optional<log_events::Pipe> monitor_;
  std::optional<log_events::Pipe> enclaves_;
  std::unique_ptr<log_events::Pump> from_monitor_;
  std::unique_ptr<log_events::Pump> from_enclaves_;
};

}  // namespace casemate::cli
