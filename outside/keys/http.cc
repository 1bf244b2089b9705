// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/http.h"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/vector_body.hpp>
#include <cerrno>

#include "base/format.h"
#include "outside/client/connect.h"

namespace casemate::keys {
namespace {

namespace http = boost::beast::http;
using Body = http::vector_body<uint8_t>;

constexpr uint32_t kHeadBytes = 8 << 10;

Status write_all(const Fd& socket, Bytes data, const client::Deadline& deadline) {
  while (!data.empty()) {
    const ssize_t size = ::send(socket.number(), data.data(), data.size(), MSG_NOSIGNAL);
    if (size > 0) {
      data = data.subspan(static_cast<size_t>(size));
    } else if (errno == EAGAIN) {
      TRY(client::wait_for(socket.number(), POLLOUT, deadline));
    } else if (errno != EINTR) {
      return Error{Code::kPartitionFailed, "the connection ended before all was sent"};
    }
  }
  return {};
}

// Reads until `parser` has one whole message.
template <class Parser>
Status read_message(const Fd& socket, Parser& parser, const client::Deadline& deadline) {
  parser.header_limit(kHeadBytes);
  parser.body_limit(kBodyBytes);
  parser.eager(true);
  std::vector<uint8_t> held;
  ByteArray<16 << 10> piece;
  while (!parser.is_done()) {
    TRY(client::wait_for(socket.number(), POLLIN, deadline));
    const ssize_t size = ::recv(socket.number(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size <= 0) return Error{Code::kPartitionFailed, "the connection ended early"};
    held.insert(held.end(), piece.begin(), piece.begin() + size);
    boost::system::error_code wrong;
    while (!held.empty() && !wrong && !parser.is_done()) {
      const size_t used = parser.put(boost::asio::const_buffer(held.data(), held.size()), wrong);
      held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(used));
      if (used == 0) break;
    }
    if (wrong == http::error::body_limit)
      return Error{Code::kTooLarge, formatted("a message has more than {} bytes", kBodyBytes)};
    if (wrong && wrong != http::error::need_more)
      return Error{Code::kInvalid, "what came is no HTTP/1.1"};
  }
  return {};
}

}  // namespace

Result<HttpRequest> read_request(const Fd& socket, const client::Deadline& deadline) {
  http::request_parser<Body> parser;
  TRY(read_message(socket, parser, deadline));
  auto message = parser.release();
  return HttpRequest{std::string(message.method_string()), std::string(message.target()),
                     std::move(message.body())};
}

Status write_answer(const Fd& socket, const HttpAnswer& answer, const client::Deadline& deadline) {
  const std::string head = formatted(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
      answer.status, std::string_view(http::obsolete_reason(http::int_to_status(answer.status))),
      answer.status == 200 ? "application/octet-stream" : "text/plain", answer.body.size());
  TRY(write_all(socket, bytes_of(std::string_view(head)), deadline));
  return write_all(socket, answer.body, deadline);
}

Result<HttpAnswer> ask(const Fd& socket, const std::string& authority, const HttpRequest& request,
                       const client::Deadline& deadline) {
  const std::string head =
      formatted("{} {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                request.method, request.target, authority, request.body.size());
  TRY(write_all(socket, bytes_of(std::string_view(head)), deadline));
  TRY(write_all(socket, request.body, deadline));
  http::response_parser<Body> parser;
  TRY(read_message(socket, parser, deadline));
  auto message = parser.release();
  return HttpAnswer{message.result_int(), std::move(message.body())};
}

}  // namespace casemate::keys
