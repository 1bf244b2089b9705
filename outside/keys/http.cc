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

Status write_all(const Fd& socket, Bytes data, const client::Deadline& deadline) {
  while (!data.empty()) {
    // A reader that never pauses keeps nobody for longer, either.
    TRY(client::wait_for(socket.number(), POLLOUT, deadline));
    const ssize_t size = ::send(socket.number(), data.data(), data.size(), MSG_NOSIGNAL);
    if (size > 0) {
      data = data.subspan(static_cast<size_t>(size));
    } else if (errno != EAGAIN && errno != EINTR) {
      return Error{Code::kPartitionFailed, "the connection ended before all was sent"};
    }
  }
  return {};
}

// One message that comes in pieces. Beast bounds head and body, and nothing that stands between the
// chunks of a body or behind them.
template <bool kRequest>
class Message final {
 public:
  Message() {
    parser_.header_limit(kHeadBytes);
    parser_.body_limit(kBodyBytes);
    parser_.eager(true);
  }

  Result<bool> take(Bytes piece) {
    came_ += piece.size();
    if (came_ > kMessageBytes)
      return Error{Code::kTooLarge, formatted("a message has more than {} bytes", kMessageBytes)};
    held_.insert(held_.end(), piece.begin(), piece.end());
    boost::system::error_code wrong;
    while (!held_.empty() && !wrong && !parser_.is_done()) {
      const size_t used = parser_.put(boost::asio::const_buffer(held_.data(), held_.size()), wrong);
      held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(used));
      if (used == 0) break;
    }
    TRY(judge(wrong));
    return parser_.is_done();
  }
  [[nodiscard]] bool head_done() const { return parser_.is_header_done(); }
  auto release() { return parser_.release(); }

 private:
  Status judge(const boost::system::error_code& wrong) const {
    if (kRequest && head_done() && parser_.get().count(http::field::transfer_encoding) != 0) {
      return Error{Code::kUnsupported,
                   "the request has a Transfer-Encoding; send it whole, with its Content-Length"};
    }
    if (wrong == http::error::body_limit)
      return Error{Code::kTooLarge, formatted("a message has more than {} bytes", kBodyBytes)};
    if (wrong == http::error::header_limit || (!parser_.is_done() && held_.size() > kHeadBytes)) {
      return Error{Code::kTooLarge,
                   formatted("what is around a message has more than {} bytes", kHeadBytes)};
    }
    if (wrong && wrong != http::error::need_more)
      return Error{Code::kInvalid, "what came is no HTTP/1.1"};
    return {};
  }

  http::parser<kRequest, Body> parser_;
  std::vector<uint8_t> held_;
  uint64_t came_ = 0;
};

}  // namespace

struct RequestReader::Reading {
  Message<true> message;
};

RequestReader::RequestReader() : reading_(std::make_unique<Reading>()) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;

Result<bool> RequestReader::take(Bytes piece) { return reading_->message.take(piece); }
bool RequestReader::head_done() const { return reading_->message.head_done(); }

HttpRequest RequestReader::request() {
  auto message = reading_->message.release();
  return {std::string(message.method_string()), std::string(message.target()),
          std::move(message.body())};
}

std::vector<uint8_t> bytes_of_answer(const HttpAnswer& answer) {
  const std::string head = formatted(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
      answer.status, std::string_view(http::obsolete_reason(http::int_to_status(answer.status))),
      answer.type, answer.body.size());
  const Bytes bytes = bytes_of(std::string_view(head));
  std::vector<uint8_t> made(bytes.begin(), bytes.end());
  made.insert(made.end(), answer.body.begin(), answer.body.end());
  return made;
}

Result<HttpAnswer> ask(const Fd& socket, const std::string& authority, const HttpRequest& request,
                       const client::Deadline& deadline) {
  const std::string head =
      formatted("{} {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                request.method, request.target, authority, request.body.size());
  TRY(write_all(socket, bytes_of(std::string_view(head)), deadline));
  TRY(write_all(socket, request.body, deadline));
  Message<false> answer;
  ByteArray<16 << 10> piece;
  for (bool whole = false; !whole;) {
    TRY(client::wait_for(socket.number(), POLLIN, deadline));
    const ssize_t size = ::recv(socket.number(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size <= 0) return Error{Code::kPartitionFailed, "the connection ended early"};
    whole = TRY(answer.take(Bytes(piece).first(static_cast<size_t>(size))));
  }
  auto message = answer.release();
  return HttpAnswer{message.result_int(), std::move(message.body()),
                    std::string(message[http::field::content_type])};
}

}  // namespace casemate::keys
