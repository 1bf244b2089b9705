// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/service.h"

#include <poll.h>
#include <sys/socket.h>

#include "base/log.h"

namespace casemate::keys {
namespace {

constexpr int kLookMs = 200;  // for being told to stop

unsigned status_of(Code code) {
  switch (code) {
    case Code::kDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kInvalid:
      return 400;
    case Code::kTooLarge:
      return 413;
    case Code::kTimedOut:
      return 408;
    default:
      return 503;
  }
}

HttpAnswer text_answer(unsigned status, std::string_view text) {
  const Bytes bytes = bytes_of(text);
  return {status, {bytes.begin(), bytes.end()}};
}

template <class T>
HttpAnswer bytes_answer(const T& value) {
  const Bytes bytes = bytes_of(value);
  return {200, {bytes.begin(), bytes.end()}};
}

}  // namespace

Service::Service(Fd listener, Keeper& keeper, Clock& clock)
    : listener_(std::move(listener)), keeper_(keeper), clock_(clock) {
  for (int i = 0; i < kThreads; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
}

Service::~Service() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void Service::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{listener_.number(), POLLIN, 0};
    if (::poll(&waiting, 1, kLookMs) != 1) continue;
    const Fd connection(
        ::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) continue;
    try {
      serve_one(connection);
    } catch (const std::exception& failure) {
      log("a connection is dropped: {}", printable(failure.what(), 120));
    }
  }
}

void Service::serve_one(const Fd& connection) {
  const client::Deadline deadline(clock_, kPatience);
  const auto request = read_request(connection, deadline);
  if (!request && request.error().code == Code::kPartitionFailed) return;
  const HttpAnswer said =
      request ? answer(*request)
              : text_answer(status_of(request.error().code), request.error().text + "\n");
  if (write_answer(connection, said, deadline)) ::shutdown(connection.number(), SHUT_WR);
}

HttpAnswer Service::answer(const HttpRequest& request) {
  const std::lock_guard guard(deciding_);
  if (request.target == "/v1/nonce" && request.method == "GET")
    return bytes_answer(keeper_.challenge());
  if (request.target != "/v1/keys" || request.method != "POST")
    return text_answer(404, "the key service knows GET /v1/nonce and POST /v1/keys\n");
  const auto wrapped = keeper_.release(request.body);
  if (wrapped) return bytes_answer(*wrapped);
  return text_answer(status_of(wrapped.error().code), printable(wrapped.error().text) + "\n");
}

}  // namespace casemate::keys
