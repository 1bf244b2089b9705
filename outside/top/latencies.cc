// SPDX-License-Identifier: Apache-2.0
#include "outside/top/latencies.h"

#include <charconv>
#include <optional>

namespace casemate::top {
namespace {

constexpr std::string_view kRequests = "nv_inference_request_success{";
constexpr std::string_view kDuration = "nv_inference_request_duration_us{";

// The value of `key="..."` in a line's labels.
std::optional<std::string> label(std::string_view line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == line.npos) return std::nullopt;
  const size_t begin = at + key.size();
  const size_t end = line.find('"', begin);
  if (end == line.npos) return std::nullopt;
  return std::string(line.substr(begin, end - begin));
}

std::optional<uint64_t> value(std::string_view line) {
  const size_t space = line.rfind(' ');
  if (space == line.npos) return std::nullopt;
  uint64_t number = 0;
  const char* const end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data() + space + 1, end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace

ServedModels served_models(std::string_view metrics) {
  ServedModels models;
  while (!metrics.empty()) {
    const std::string_view line = metrics.substr(0, metrics.find('\n'));
    metrics.remove_prefix(std::min(line.size() + 1, metrics.size()));
    const bool requests = line.starts_with(kRequests);
    if (!requests && !line.starts_with(kDuration)) continue;
    const auto model = label(line, "model=\"");
    const auto version = label(line, "version=\"");
    const auto number = value(line);
    if (!model || !version || !number || models.size() >= limits::kEnclaves) continue;
    Served& served = models[*model + "/" + *version];
    (requests ? served.requests : served.total_us) = *number;
  }
  return models;
}

}  // namespace casemate::top
