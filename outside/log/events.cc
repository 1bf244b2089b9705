// SPDX-License-Identifier: Apache-2.0
#include "outside/log/events.h"

#include <array>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"

namespace casemate::log_events {
namespace {

constexpr size_t kMessageMax = 2000;

// Takes `word` off the front.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// Takes everything before `end`, and `end`.
std::optional<std::string> take_until(std::string_view& text, std::string_view end) {
  const size_t at = text.find(end);
  if (at == text.npos) return std::nullopt;
  std::string part(text.substr(0, at));
  text.remove_prefix(at + end.size());
  return part;
}

template <class Number>
std::optional<Number> take_number(std::string_view& text) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(stop - text.data()));
  return number;
}

// "running again after 4.3 ms, epoch 2[, start 3]: WHY"
bool restart(std::string_view text, Event& event) {
  if (!take(text, "running again after ")) return false;
  event.after_ms = take_number<double>(text);
  if (!event.after_ms || !take(text, " ms, epoch ")) return false;
  event.epoch = take_number<uint32_t>(text);
  if (take(text, ", start ")) event.start = take_number<uint32_t>(text);
  if (!event.epoch || !take(text, ": ")) return false;
  event.reason = text;
  event.event = "restart";
  event.level = Level::kWarning;
  return true;
}

// "WHY; starting again in 20 ms", and "WHY; it failed too often in a row, giving up ..."
bool failure(std::string_view text, Event& event) {
  constexpr std::string_view kAgain = "; starting again in ";
  const size_t again = text.rfind(kAgain);
  const size_t never = text.rfind("; it failed too often in a row, giving up");
  if (again == text.npos && never == text.npos) return false;
  event.reason = text.substr(0, again != text.npos ? again : never);
  event.event = again != text.npos ? "failure" : "given_up";
  event.level = again != text.npos ? Level::kWarning : Level::kError;
  if (again == text.npos) return true;
  text.remove_prefix(again + kAgain.size());
  event.wait_ms = take_number<double>(text);
  return true;
}

struct Known {
  std::string_view begin;
  std::string_view event;
  Level level;
};

// Sentences about a partition or an enclave whose rest is a reason, or is nothing.
constexpr Known kOfSomebody[] = {
    {"refused: ", "refused", Level::kError},
    {"ended on request, starting again", "ended_on_request", Level::kInfo},
    {"its instance died; a fresh one comes from the template", "failure", Level::kWarning},
    {"no standby: ", "standby_failed", Level::kWarning},
    {"its standby is dropped: ", "standby_failed", Level::kWarning},
};

void of_somebody(std::string_view text, Event& event) {
  for (const Known& known : kOfSomebody) {
    std::string_view rest = text;
    if (!take(rest, known.begin)) continue;
    event.event = known.event;
    event.level = known.level;
    event.reason = rest;
    return;
  }
  // Its own words come first: a reason may quote a model's file.
  if (!restart(text, event)) failure(text, event);
}

// "stream from A to B: closed: WHY; what happens next"
bool stream_closed(std::string_view text, Event& event) {
  if (!take(text, "stream from ")) return false;
  const auto caller = take_until(text, " to ");
  const auto callee = caller ? take_until(text, ": closed: ") : std::nullopt;
  if (!callee) return false;
  event.enclave = *caller;
  event.peer = *callee;
  event.event = "stream_closed";
  event.level = Level::kWarning;
  event.reason = text;
  return true;
}

std::string_view level_name(Level level) {
  constexpr std::array<std::string_view, 4> names = {"debug", "info", "warning", "error"};
  return names[static_cast<size_t>(level)];
}

}  // namespace

Event event_of(std::string_view line) {
  Event event;
  event.event = "message";
  const std::string printed = printable(line, kMessageMax);
  std::string_view text = printed;
  event.process = take(text, "monitor: ") ? "monitor" : "unknown";
  event.message = text;
  if (event.process != "monitor") return event;
  if (text == "stopping") event.event = "stopping";
  if (stream_closed(text, event)) return event;
  const bool partition = take(text, "partition ");
  if (!partition && !take(text, "enclave ")) return event;
  // Names have neither spaces nor colons.
  auto name = take_until(text, ": ");
  if (!name) return event;
  (partition ? event.partition : event.enclave) = *std::move(name);
  of_somebody(text, event);
  return event;
}

std::string json_of(const Event& event, std::string_view time) {
  nlohmann::ordered_json line = {{"time", time},
                                 {"level", level_name(event.level)},
                                 {"process", event.process},
                                 {"event", event.event}};
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) line[key] = printable(value, kMessageMax);
  };
  const auto number = [&](const char* key, const auto& value) {
    if (value) line[key] = *value;
  };
  text("partition", event.partition);
  text("enclave", event.enclave);
  text("peer", event.peer);
  text("reason", event.reason);
  number("epoch", event.epoch);
  number("start", event.start);
  number("after_ms", event.after_ms);
  number("wait_ms", event.wait_ms);
  text("url", event.url);
  text("message", event.message);
  return line.dump();
}

std::string time_now() {
  using namespace std::chrono;
  return formatted("{:%FT%TZ}", floor<milliseconds>(system_clock::now()));
}

}  // namespace casemate::log_events
