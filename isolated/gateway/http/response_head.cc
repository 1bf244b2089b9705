// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/response_head.h"

#include <charconv>
#include <chrono>

#include "base/format.h"

namespace casemate::gateway {
namespace {

std::string_view reason_of(uint16_t status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

void append_number(std::string& out, uint64_t value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

void append_response_head(std::string& out, const Response& response, uint64_t body_size,
                          std::string_view date, bool last, bool old_version) {
  out += "HTTP/1.1 ";
  append_number(out, response.status);
  (out += ' ') += reason_of(response.status);
  (out += "\r\nDate: ") += date;
  (out += "\r\nContent-Type: ") += response.content_type;
  out += "\r\nContent-Length: ";
  append_number(out, body_size);
  if (response.inference_header_length) {
    out += "\r\nInference-Header-Content-Length: ";
    append_number(out, *response.inference_header_length);
  }
  if (!response.allow.empty()) (out += "\r\nAllow: ") += response.allow;
  if (response.retry_after_s != 0) {
    out += "\r\nRetry-After: ";
    append_number(out, response.retry_after_s);
  }
  if (last) {
    out += "\r\nConnection: close";
  } else if (old_version) {
    out += "\r\nConnection: keep-alive";
  }
  out += "\r\n\r\n";
}

std::string http_date(int64_t unix_seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(unix_seconds)};
  return formatted("{:%a, %d %b %Y %H:%M:%S} GMT", time);
}

}  // namespace casemate::gateway
