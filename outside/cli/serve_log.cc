// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/serve_log.h"

#include <algorithm>
#include <span>
#include <sstream>

#include "base/format.h"
#include "base/log.h"
#include "outside/cli/status_table.h"

namespace casemate::cli {
namespace {

using log_events::Event;
using log_events::Level;
using log_events::Pump;

constexpr size_t kWarningMax = 1000;

Event own(Level level, std::string event, std::string message) {
  return {.level = level,
          .process = "casemate",
          .event = std::move(event),
          .message = std::move(message)};
}

}  // namespace

Result<launch::Outputs> ServeLog::open(const SystemDescription& description) {
  description_ = &description;
  launch::Outputs outputs;
  if (json_) {
    monitor_.emplace(TRY(log_events::Pipe::make()));
    outputs.monitor = monitor_->writing.number();
  }
  const auto enclaves = std::span(description.enclaves).first(description.enclave_count);
  if (std::ranges::any_of(
          enclaves, [](const auto& e) { return (e.flags & EnclaveDescription::kDebug) != 0; })) {
    enclaves_.emplace(TRY(log_events::Pipe::make()));
    outputs.enclaves = enclaves_->writing.number();
  }
  return outputs;
}

void ServeLog::listen() {
  if (monitor_) {
    monitor_->writing.reset();
    from_monitor_ = std::make_unique<Pump>(std::move(monitor_->reading),
                                           [this](auto line) { take_monitor(line); });
  }
  if (enclaves_) {
    enclaves_->writing.reset();
    from_enclaves_ = std::make_unique<Pump>(std::move(enclaves_->reading),
                                            [this](auto line) { take_enclave(line); });
  }
}

void ServeLog::close() {
  from_monitor_.reset();
  from_enclaves_.reset();
}

void ServeLog::write(const Event& event) {
  const std::string line = log_events::json_of(event, log_events::time_now()) + "\n";
  const std::lock_guard held(lock_);
  streams_.err << line << std::flush;
}

std::string ServeLog::partition_of(const std::string& enclave) const {
  std::string found;
  for (const auto& each : std::span(description_->enclaves).first(description_->enclave_count)) {
    if (each.name.view() != enclave) continue;
    const std::string_view name = description_->partitions[each.partition].name.view();
    if (!found.empty() && found != name) return "";  // versions of it are in several
    found = name;
  }
  return found;
}

void ServeLog::take_monitor(std::string_view line) {
  Event event = log_events::event_of(line);
  if (event.partition.empty() && !event.enclave.empty() && event.peer.empty())
    event.partition = partition_of(event.enclave);
  write(event);
}

void ServeLog::take_enclave(std::string_view line) {
  const std::string text = printable(line, Pump::kLineMax);
  if (json_)
    return write(
        {.level = Level::kDebug, .process = "enclave", .event = "output", .message = text});
  const std::lock_guard held(lock_);
  streams_.err << "enclave: " + text + "\n" << std::flush;
}

void ServeLog::warn(const std::string& text) {
  const std::string line = printable(text, kWarningMax);
  if (json_) return write(own(Level::kWarning, "warning", line));
  const std::lock_guard held(lock_);
  streams_.err << "casemate: warning: " + line + "\n";
}

int ServeLog::fail(const Error& error) {
  if (json_) {
    std::ostringstream nowhere;
    write(own(Level::kError, "failed", error.text));
    return cli::fail(error, {nowhere, nowhere});
  }
  const std::lock_guard held(lock_);
  return cli::fail(error, streams_);
}

void ServeLog::serving(const std::string& url, const operating::Reply& status) {
  const auto kind = static_cast<RootKind>(description_->root);
  const bool software = kind == RootKind::kSoftware;
  const std::string root = software
                               ? "software, for development; a client refuses it unless it says "
                                 "--allow-software-root"
                               : std::string(name_of(kind));
  if (json_) {
    Event event = own(Level::kInfo, "serving", "root of trust: " + root);
    event.url = url;
    return write(event);
  }
  const std::lock_guard held(lock_);
  streams_.out << formatted("serving on {}\n\n", url);
  print_status(status, streams_.out);
  streams_.out << formatted(
                      "\nroot of trust: {}\n"
                      "verify:  casemate attest {}{}\n"
                      "watch:   casemate top        stop: Ctrl-C\n",
                      root, url, software ? " --allow-software-root" : "")
               << std::flush;
}

}  // namespace casemate::cli
