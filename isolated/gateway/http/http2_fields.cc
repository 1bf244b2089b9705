// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/http2_fields.h"

#include <charconv>

namespace casemate::gateway {

Method method_named(std::string_view name) {
  if (name == "GET") return Method::kGet;
  if (name == "POST") return Method::kPost;
  return name == "HEAD" ? Method::kHead : Method::kOther;
}

bool grpc_content(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  if (!content_type.starts_with(kType)) return false;
  content_type.remove_prefix(kType.size());
  return content_type.empty() || content_type == "+proto" || content_type.starts_with(';') ||
         content_type.starts_with("+proto;");
}

std::optional<uint64_t> decimal(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// gRPC over HTTP/2, "Timeout".
std::optional<std::chrono::nanoseconds> grpc_timeout(std::string_view text) {
  using namespace std::chrono;
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  const auto value = decimal(text.substr(0, text.size() - 1));
  if (!value) return std::nullopt;
  const auto count = static_cast<int64_t>(*value);
  switch (text.back()) {
    case 'H':
      // 99,999,999 hours are more than nanoseconds can say; a day is more than any call has.
      return hours(std::min<int64_t>(count, 24));
    case 'M':
      return minutes(std::min<int64_t>(count, 24 * 60));
    case 'S':
      return seconds(count);
    case 'm':
      return milliseconds(count);
    case 'u':
      return microseconds(count);
    case 'n':
      return nanoseconds(count);
    default:
      return std::nullopt;
  }
}

std::string grpc_message(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out += c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    ((out += '%') += kDigits[byte >> 4]) += kDigits[byte & 15];
  }
  return out;
}

std::optional<Encoding> encoding_named(std::string_view name) {
  if (name == "identity" || name.empty()) return Encoding::kIdentity;
  if (name == "gzip") return Encoding::kGzip;
  if (name == "deflate") return Encoding::kDeflate;
  return std::nullopt;
}

}  // namespace casemate::gateway
