// SPDX-License-Identifier: Apache-2.0
#pragma once
// Events: what happened, as a line of JSON for programs or of text for people.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the monitor's sentences are believed, up to what quotes others, which is last.
//   Fails    cannot: a sentence that is not known is an event named "message".

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace casemate::log_events {

enum class Level : uint8_t { kDebug, kInfo, kWarning, kError };

struct Event {
  Level level = Level::kInfo;
  std::string process;    // "monitor", "casemate", "enclave"
  std::string event;      // "restart", "failure", ...; docs/logs.md lists them
  std::string partition;  // empty: none
  std::string enclave;
  std::string peer;  // of a stream: the enclave that is called
  std::string reason;
  std::string url;
  std::string message;  // the whole sentence
  std::optional<uint32_t> epoch;
  std::optional<uint32_t> start;
  std::optional<double> after_ms;  // from the end to running again
  std::optional<double> wait_ms;   // until it is started again
};

// Of a line that the monitor has written, "monitor: ...".
Event event_of(std::string_view line);

// One line, without its end. `time` is RFC 3339's.
std::string json_of(const Event& event, std::string_view time);

// Now, in UTC with milliseconds: "2026-11-30T06:20:00.123Z".
std::string time_now();

}  // namespace casemate::log_events
