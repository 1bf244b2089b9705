// SPDX-License-Identifier: Apache-2.0
#include "outside/client/connect.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include "base/format.h"

namespace casemate::client {
namespace {

struct AddressFree {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, AddressFree>;

// What the resolving thread leaves behind. Shared, because whoever waits may give up first and
// libc's resolver cannot be interrupted.
struct Answer {
  std::mutex mutex;
  std::condition_variable done;
  bool ready = false;
  int error = 0;
  Addresses addresses;
};

void resolve(const Url& url, int flags, Answer& answer) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error =
      ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &list);
  const std::lock_guard lock(answer.mutex);
  answer.error = error;
  answer.addresses.reset(error == 0 ? list : nullptr);
  answer.ready = true;
  answer.done.notify_one();
}

Result<Addresses> addresses_of(const Url& url, const Deadline& deadline) {
  Answer at_once;
  resolve(url, AI_NUMERICHOST, at_once);
  if (at_once.addresses) return std::move(at_once.addresses);
  const auto answer = std::make_shared<Answer>();
  std::thread([url, answer] { resolve(url, AI_ADDRCONFIG, *answer); }).detach();
  std::unique_lock lock(answer->mutex);
  if (!answer->done.wait_for(lock, deadline.left(), [&] { return answer->ready; })) {
    return Error{Code::kTimedOut,
                 formatted("the name {} was not resolved in time; check the network", url.host)};
  }
  if (answer->error != 0) {
    return Error{Code::kUnavailable, formatted("the name {} cannot be resolved: {}", url.host,
                                               ::gai_strerror(answer->error))};
  }
  return std::move(answer->addresses);
}

Status finish_connect(int fd, const Deadline& deadline) {
  (void)TRY(wait_for(fd, POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno_error("getsockopt");
  if (error != 0) {
    errno = error;
    return errno_error("connect");
  }
  return {};
}

// Once connected: the deadline is the caller's until then.
Status watch_for_silence(int fd) {
  struct Option {
    int level;
    int name;
    int value;
  };
  static constexpr Option kOptions[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                                        {IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleSeconds},
                                        {IPPROTO_TCP, TCP_KEEPINTVL, kKeepEverySeconds},
                                        {IPPROTO_TCP, TCP_USER_TIMEOUT, kVanishedMs}};
  for (const Option& option : kOptions) {
    if (::setsockopt(fd, option.level, option.name, &option.value, sizeof option.value) != 0)
      return errno_error("setsockopt");
  }
  return {};
}

Result<Fd> connect_address(const addrinfo& address, const Deadline& deadline) {
  Fd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno_error("socket");
  const int on = 1;
  ::setsockopt(fd.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd.number(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return errno_error("connect");
    TRY(finish_connect(fd.number(), deadline));
  }
  TRY(watch_for_silence(fd.number()));
  return fd;
}

}  // namespace

Result<Fd> connect_to_any(const addrinfo* addresses, const Deadline& deadline) {
  int64_t left = 0;
  for (const addrinfo* at = addresses; at != nullptr; at = at->ai_next) ++left;
  Error last{Code::kUnavailable, "the name has no address"};
  for (const addrinfo* at = addresses; at != nullptr; at = at->ai_next, --left) {
    auto fd = connect_address(*at, deadline.share(left));
    if (fd) return fd;
    last = std::move(fd).error();
  }
  return last;
}

Result<Fd> connect_to(const Url& url, const Deadline& deadline) {
  const Addresses addresses = TRY(addresses_of(url, deadline));
  auto fd = connect_to_any(addresses.get(), deadline);
  if (fd) return fd;
  if (fd.error().code == Code::kTimedOut || deadline.passed()) {
    return Error{Code::kTimedOut, formatted("nobody answered at {} in time; is the server up and "
                                            "the address right?",
                                            url.authority())};
  }
  return Error{Code::kUnavailable, formatted("no connection to {}: {}; is the server up and the "
                                             "address right?",
                                             url.authority(), fd.error().text)};
}

Result<short> wait_for(int fd, short events, const Deadline& deadline) {
  // Looked at before each wait: a peer that never pauses is always ready, and late all the same.
  while (!deadline.passed()) {
    pollfd item{.fd = fd, .events = events, .revents = 0};
    const int count = ::poll(&item, 1, deadline.left_ms());
    if (count > 0) return item.revents;
    if (count < 0 && errno != EINTR) return errno_error("poll");
  }
  return Error{Code::kTimedOut, "the time is over"};
}

}  // namespace casemate::client
