// SPDX-License-Identifier: Apache-2.0
#include "outside/client/http.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/vector_body.hpp>
#include <charconv>

#include "base/format.h"
#include "base/log.h"

namespace casemate::client {
namespace {

namespace beast = boost::beast;
using Parser = beast::http::response_parser<beast::http::vector_body<uint8_t>>;
using Fields = beast::http::fields;

constexpr size_t kHeadBytes = 16 << 10;
// A refusal may be longer than the answer that was asked for.
constexpr uint64_t kErrorBytes = 64 << 10;
// "100 Continue" and the like, which precede the answer.
constexpr int kInterimAnswers = 4;

Error lie(std::string_view what) {
  return {Code::kPartitionFailed,
          formatted("the server's answer is no HTTP that we asked for: {}", what)};
}

std::string head_of(const std::string& authority, const Request& request) {
  size_t size = 0;
  for (const Bytes part : request.body) size += part.size();
  std::string head = formatted("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: casemate\r\n",
                               request.method, request.target, authority);
  if (request.method != "GET") head += formatted("Content-Length: {}\r\n", size);
  if (request.json_size) {
    head += formatted(
        "Content-Type: application/octet-stream\r\n"
        "Inference-Header-Content-Length: {}\r\n",
        *request.json_size);
  }
  return head + "\r\n";
}

// False when the server answered or closed before it took everything.
Result<bool> send_request(Channel& channel, const std::string& authority, const Request& request,
                          const Deadline& deadline) {
  const std::string head = head_of(authority, request);
  if (!TRY(channel.write(bytes_of(std::string_view(head)), deadline))) return false;
  for (const Bytes part : request.body) {
    if (!TRY(channel.write(part, deadline))) return false;
  }
  return true;
}

// Bytes that were received and not yet parsed.
struct Inbox {
  Channel& channel;
  const Deadline& deadline;
  std::vector<uint8_t> bytes = std::vector<uint8_t>(64 << 10);
  size_t begin = 0;
  size_t end = 0;

  [[nodiscard]] size_t size() const { return end - begin; }
  // Adds what arrives next; 0 when the server ended the connection.
  Result<size_t> receive() {
    std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
              bytes.begin() + static_cast<std::ptrdiff_t>(end), bytes.begin());
    end -= begin;
    begin = 0;
    if (end == bytes.size()) return lie("a header line is too long");
    const size_t more = TRY(channel.read(MutableBytes(bytes).subspan(end), deadline));
    end += more;
    return more;
  }
};

Error parse_error(const boost::system::error_code& wrong, uint64_t limit) {
  if (wrong == beast::http::error::body_limit) {
    return {Code::kTooLarge,
            formatted("the server's answer is larger than the {} bytes that were to be expected",
                      limit)};
  }
  return lie(printable(wrong.message(), 80));
}

// Reads until `parser` has one complete message.
Status read_message(Inbox& inbox, Parser& parser, uint64_t limit) {
  while (!parser.is_done()) {
    boost::system::error_code wrong;
    const size_t used = parser.put(
        boost::asio::const_buffer(inbox.bytes.data() + inbox.begin, inbox.size()), wrong);
    inbox.begin += used;
    if (wrong && wrong != beast::http::error::need_more) return parse_error(wrong, limit);
    if (parser.is_done()) break;
    if (used != 0 && inbox.size() != 0 && !wrong) continue;
    if (TRY(inbox.receive()) != 0) continue;
    // Without a length, the end of the connection is the end of the answer.
    if (parser.got_some()) parser.put_eof(wrong);
    if (wrong || !parser.is_done()) {
      return Error{Code::kPartitionFailed,
                   "the server ended the connection before its answer was complete; what was asked "
                   "may or may not have been done"};
    }
  }
  return {};
}

template <class Number>
std::optional<Number> number_in(const Fields& fields, std::string_view name) {
  if (fields.count(name) != 1) return std::nullopt;
  const std::string_view text = fields[name];
  Number number = 0;
  const auto [at, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Response> response_of(Parser& parser) {
  constexpr std::string_view kJsonSize = "Inference-Header-Content-Length";
  auto& message = parser.get();
  Response response;
  response.status = message.result_int();
  response.json_size = number_in<uint64_t>(message.base(), kJsonSize);
  if (message.count(kJsonSize) != 0 && !response.json_size)
    return lie("Inference-Header-Content-Length is no number");
  if (message.count(beast::http::field::content_encoding) != 0)
    return lie("it is compressed, and we said nothing of that");
  response.retry_after_s = number_in<uint32_t>(message.base(), "Retry-After");
  response.reusable = parser.keep_alive();
  response.body = std::move(message.body());
  return response;
}

Result<Response> read_response(Channel& channel, uint64_t limit, const Deadline& deadline) {
  Inbox inbox{.channel = channel, .deadline = deadline};
  for (int i = 0; i <= kInterimAnswers; ++i) {
    Parser parser;
    parser.header_limit(kHeadBytes);
    parser.body_limit(limit);
    parser.eager(true);
    TRY(read_message(inbox, parser, limit));
    const unsigned status = parser.get().result_int();
    if (status == 101) return lie("it switches protocols");
    if (status >= 100 && status < 200) continue;
    Response response = TRY(response_of(parser));
    if (inbox.size() != 0) response.reusable = false;
    return response;
  }
  return lie("too many interim answers");
}

Error in_time(Error error, std::string_view doing, const std::string& authority) {
  if (error.code == Code::kTimedOut)
    error.text = formatted("{} did not {} in time; it may be overloaded", authority, doing);
  return error;
}

}  // namespace

Result<Response> exchange(Channel& channel, const std::string& authority, const Request& request,
                          const Deadline& deadline) {
  try {
    const auto sent = send_request(channel, authority, request, deadline);
    if (!sent) return in_time(sent.error(), "take the request", authority);
    const uint64_t limit = std::max(request.answer_bytes_max, kErrorBytes);
    auto response = read_response(channel, limit, deadline);
    if (!response) return in_time(response.error(), "answer", authority);
    if (response->status == 200 && response->body.size() > request.answer_bytes_max)
      return parse_error(beast::http::error::body_limit, request.answer_bytes_max);
    if (!*sent) response->reusable = false;
    response->session = channel.binding();
    return response;
  } catch (const std::exception& failure) {
    return Error{Code::kPlatform,
                 formatted("while talking to {}: {}", authority, printable(failure.what(), 120))};
  }
}

}  // namespace casemate::client
