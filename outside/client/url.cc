// SPDX-License-Identifier: Apache-2.0
#include "outside/client/url.h"

#include <charconv>

#include "base/format.h"
#include "base/log.h"

namespace casemate::client {
namespace {

constexpr std::string_view kScheme = "https://";
// RFC 1035, section 2.3.4.
constexpr size_t kHostMax = 253;

Error refuse(std::string_view text, std::string_view why) {
  return {Code::kInvalid,
          formatted("{} is no server: {}; write https://HOST:PORT", printable(text, 80), why)};
}

bool host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool address_character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.';
}

bool unreserved(char c) { return host_character(c) || c == '~'; }

bool all_of(std::string_view text, auto kind) {
  for (const char c : text) {
    if (!kind(c)) return false;
  }
  return true;
}

}  // namespace

std::string Url::authority() const {
  return host.contains(':') ? formatted("[{}]:{}", host, port) : formatted("{}:{}", host, port);
}

Result<Url> parse_url(std::string_view text) {
  if (text.starts_with("http://"))
    return refuse(text, "plain http is not protected and is never used");
  if (!text.starts_with(kScheme)) return refuse(text, "it does not start with https://");
  std::string_view rest = text.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);

  Url url;
  const bool bracketed = rest.starts_with('[');
  const size_t end = bracketed ? rest.find(']') : rest.find(':');
  if (bracketed && end == rest.npos) return refuse(text, "the bracket is not closed");
  url.host = rest.substr(bracketed ? 1 : 0, bracketed ? end - 1 : end);
  if (url.host.empty() || url.host.size() > kHostMax ||
      !(bracketed ? all_of(url.host, address_character) : all_of(url.host, host_character))) {
    return refuse(text, "the host is no name and no address");
  }
  rest = end == rest.npos ? "" : rest.substr(end + (bracketed ? 1 : 0));
  if (rest.empty()) return url;
  const auto [at, wrong] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), url.port);
  if (rest[0] != ':' || rest.size() == 1 || wrong != std::errc() ||
      at != rest.data() + rest.size() || url.port == 0) {
    return refuse(text, "what follows the host is no port from 1 to 65535");
  }
  return url;
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (unreserved(c)) {
      encoded += c;
    } else {
      encoded += formatted("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace casemate::client
