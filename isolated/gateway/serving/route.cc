// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/route.h"

#include <array>
#include <charconv>
#include <utility>

namespace casemate::gateway {
namespace {

// Segments of "/v2/models/M/versions/V/infer"; more is no route of ours.
constexpr size_t kSegments = 6;

struct Segments {
  std::array<std::string, kSegments> text;
  size_t count = 0;
  const std::string& operator[](size_t i) const { return text[i]; }
};

std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* digits = text.data() + i + 1;
    if (std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

Refusal not_found() {
  return {.status = 404,
          .text =
              "there is nothing here; the routes are those of the Open Inference Protocol v2, "
              "below /v2"};
}

std::expected<Segments, Refusal> split(std::string_view path) {
  if (!path.starts_with('/')) return std::unexpected(not_found());
  path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  Segments segments;
  for (;;) {
    const size_t end = path.find('/');
    if (segments.count == kSegments) return std::unexpected(not_found());
    auto text = decode(path.substr(0, end));
    if (!text)
      return std::unexpected(
          Refusal{.status = 400, .text = "the path holds a '%' without two hexadecimal digits"});
    segments.text[segments.count++] = *std::move(text);
    if (end == path.npos) return segments;
    path.remove_prefix(end + 1);
  }
}

struct Named {
  std::string_view text;
  Endpoint endpoint;
  Method method;
};

// Any method will do: whichever it is, the answer says why there is nothing.
Named absent(Endpoint endpoint) { return {"", endpoint, Method::kOther}; }

using enum Endpoint;
constexpr std::array kModelVerbs = std::to_array<Named>({
    {"infer", kModelInfer, Method::kPost},
    {"ready", kModelReady, Method::kGet},
    {"config", kModelConfig, Method::kGet},
    {"stats", kModelStatistics, Method::kGet},
});

// What follows /v2/models.
std::optional<Named> match_model(const Segments& s, Route& route) {
  if (s.count == 3 && s[2] == "stats") return Named{"", kStatistics, Method::kGet};
  if (s.count < 3) return std::nullopt;
  route.model = s[2];
  size_t verb = 3;
  if (s.count >= 5 && s[3] == "versions") {
    route.version = s[4];
    if (route.version.empty()) return std::nullopt;
    verb = 5;
  }
  if (s.count == verb) return Named{"", kModelMetadata, Method::kGet};
  if (s.count == verb + 2 && s[verb] == "trace" && s[verb + 1] == "setting") return absent(kTrace);
  if (s.count != verb + 1) return std::nullopt;
  for (const Named& named : kModelVerbs)
    if (named.text == s[verb]) return named;
  return std::nullopt;
}

std::optional<Named> match(const Segments& s, Route& route) {
  if (s.count == 1 && s[0] == "metrics") return Named{"", kMetrics, Method::kGet};
  if (s[0] != "v2") return std::nullopt;
  if (s.count == 1) return Named{"", kServerMetadata, Method::kGet};
  if (s[1] == "models") return match_model(s, route);
  if (s.count == 3 && s[1] == "health" && s[2] == "live") return Named{"", kLive, Method::kGet};
  if (s.count == 3 && s[1] == "health" && s[2] == "ready") return Named{"", kReady, Method::kGet};
  if (s.count == 3 && s[1] == "casemate" && s[2] == "evidence")
    return Named{"", kEvidence, Method::kGet};
  if (s[1] == "systemsharedmemory" || s[1] == "cudasharedmemory") return absent(kSharedMemory);
  if (s.count == 3 && s[1] == "trace" && s[2] == "setting") return absent(kTrace);
  if (s.count == 2 && s[1] == "logging") return absent(kLogging);
  if (s[1] != "repository") return std::nullopt;
  if (s.count == 3 && s[2] == "index") return Named{"", kIndex, Method::kPost};
  if (s.count == 5 && s[2] == "models") {
    route.model = s[3];
    if (s[4] == "load") return Named{"", kLoad, Method::kPost};
    if (s[4] == "unload") return Named{"", kUnload, Method::kPost};
  }
  return std::nullopt;
}

// The target without "http://authority" (RFC 9112, section 3.2.2).
std::string_view origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const size_t path = target.find('/', scheme.size());
    return path == target.npos ? "/" : target.substr(path);
  }
  return target;
}

}  // namespace

std::expected<Route, Refusal> route(Method method, std::string_view target) {
  target = origin_form(target);
  Route route;
  if (const size_t query = target.find('?'); query != target.npos) {
    route.query = target.substr(query + 1);
    target = target.substr(0, query);
  }
  const auto segments = split(target);
  if (!segments) return std::unexpected(segments.error());
  const auto named = match(*segments, route);
  if (!named) return std::unexpected(not_found());
  const bool get = named->method == Method::kGet;
  // The server leaves the body out of an answer to HEAD; what else it says is GET's.
  const bool right = named->method == method || (get && method == Method::kHead);
  if (named->method != Method::kOther && !right) {
    return std::unexpected(
        Refusal{.status = 405,
                .text = get ? "this path takes GET and HEAD" : "this path takes POST",
                .allow = get ? "GET, HEAD" : "POST"});
  }
  route.endpoint = named->endpoint;
  return route;
}

Result<std::optional<std::string>> query_value(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == query.npos ? std::string_view() : query.substr(end + 1);
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != key) continue;
    if (equals == pair.npos) return std::optional<std::string>("");
    auto value = decode(pair.substr(equals + 1));
    if (!value)
      return Error{Code::kInvalid, "the query holds a '%' without two hexadecimal digits"};
    return value;
  }
  return std::optional<std::string>();
}

}  // namespace casemate::gateway
