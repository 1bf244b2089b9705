// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/options.h"

#include <charconv>
#include <string_view>

#include "base/format.h"

namespace casemate::inspect {
namespace {

constexpr int64_t kExtentMax = 1ll << 31;

Error senseless(std::string_view word) {
  return {Code::kInvalid, formatted("'{}' makes no sense here", word)};
}

Result<int64_t> number(std::string_view text, int64_t least, int64_t most) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, wrong] = std::from_chars(text.data(), end, value);
  if (wrong != std::errc() || at != end || value < least || value > most)
    return Error{Code::kInvalid, formatted("'{}' is no number from {} to {}", text, least, most)};
  return value;
}

Result<Question> question(std::string_view word) {
  if (word == "check") return Question::kCheck;
  if (word == "plan") return Question::kPlan;
  if (word == "profile") return Question::kProfile;
  if (word == "devices") return Question::kDevices;
  return senseless(word);
}

Result<Order> order(std::string_view word) {
  if (word == "time") return Order::kTime;
  if (word == "order") return Order::kOrder;
  if (word == "kind") return Order::kKind;
  return senseless(word);
}

Status take(std::string_view name, std::string_view value, Options& options) {
  if (name == "json") {
    options.json = TRY(number(value, 0, 1)) == 1;
  } else if (name == "external_data") {
    options.external_data = TRY(number(value, 0, 1)) == 1;
  } else if (name == "by") {
    options.order = TRY(order(value));
  } else if (name == "batch") {
    options.batch = TRY(number(value, 1, 1 << 20));
  } else if (name == "threads") {
    options.threads = static_cast<int>(TRY(number(value, 1, 1024)));
  } else if (name == "rounds") {
    options.rounds = static_cast<int>(TRY(number(value, 1, 100'000)));
  } else if (name == "memory") {
    options.memory_bytes_max = static_cast<uint64_t>(TRY(number(value, 1, 1ll << 40)));
  } else if (name == "seconds") {
    options.seconds_max = static_cast<uint64_t>(TRY(number(value, 1, 1 << 20)));
  } else if (name == "devices") {
    options.devices = std::string(value);
  } else if (name == "prefer") {
    options.prefer = std::string(value);
  } else if (name == "remote" && value.contains('=')) {
    const size_t at = value.find('=');
    options.remotes[std::string(value.substr(0, at))] = value.substr(at + 1);
  } else if (name == "shape" && value.contains('=')) {
    // A symbol's own name may hold a '='.
    const size_t at = value.rfind('=');
    options.shapes[std::string(value.substr(0, at))] =
        TRY(number(value.substr(at + 1), 1, kExtentMax));
  } else {
    return senseless(formatted("{}={}", name, value));
  }
  return {};
}

}  // namespace

Result<Options> parse(std::span<char* const> arguments) {
  if (arguments.empty()) return Error{Code::kInvalid, "nothing was asked"};
  Options options{.question = TRY(question(arguments.front()))};
  for (const std::string_view word : arguments.subspan(1)) {
    const size_t at = word.find('=');
    if (at == word.npos) return senseless(word);
    TRY(take(word.substr(0, at), word.substr(at + 1), options));
  }
  return options;
}

}  // namespace casemate::inspect
