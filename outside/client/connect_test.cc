// SPDX-License-Identifier: Apache-2.0
#include "outside/client/connect.h"

#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace casemate::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// An address on this machine where somebody listens.
class Listener final {
 public:
  explicit Listener(int backlog)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(socket_.number(), generic(), size), 0);
    EXPECT_EQ(::listen(socket_.number(), backlog), 0);
    EXPECT_EQ(::getsockname(socket_.number(), generic(), &size), 0);
  }
  addrinfo entry(addrinfo* next) {
    addrinfo entry{};
    entry.ai_family = AF_INET;
    entry.ai_addr = generic();
    entry.ai_addrlen = sizeof address_;
    entry.ai_next = next;
    return entry;
  }

 private:
  sockaddr* generic() { return static_cast<sockaddr*>(static_cast<void*>(&address_)); }
  Fd socket_;
  sockaddr_in address_{};
};

// Fills its queue, so that further clients hear nothing.
std::vector<Fd> silence(const addrinfo& entry) {
  std::vector<Fd> waiting;
  while (waiting.size() < 100) {
    auto fd = connect_to_any(&entry, Deadline(system_clock(), milliseconds(200)));
    if (!fd) break;
    waiting.push_back(std::move(*fd));
  }
  return waiting;
}

TEST(Connect, an_address_that_says_nothing_leaves_time_for_the_next) {
  Listener deaf(0);
  Listener alive(16);
  const addrinfo only = deaf.entry(nullptr);
  const auto waiting = silence(only);
  ASSERT_LT(waiting.size(), 100u);
  addrinfo second = alive.entry(nullptr);
  const addrinfo first = deaf.entry(&second);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(connect_to_any(&first, Deadline(system_clock(), milliseconds(600))));
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(250)) << "the first was tried";
}

TEST(Connect, when_nobody_answers_the_time_is_over_and_no_more) {
  Listener deaf(0);
  addrinfo second = deaf.entry(nullptr);
  const addrinfo first = deaf.entry(&second);
  const auto waiting = silence(second);
  const auto began = std::chrono::steady_clock::now();
  const auto fd = connect_to_any(&first, Deadline(system_clock(), milliseconds(300)));
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, Code::kTimedOut);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(2));
}

int option_of(const Fd& fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd.number(), level, name, &value, &size), 0);
  return value;
}

TEST(Connect, a_peer_that_vanishes_is_not_waited_for_for_ever) {
  Listener alive(16);
  const addrinfo only = alive.entry(nullptr);
  const auto fd = connect_to_any(&only, Deadline(system_clock(), seconds(5)));
  ASSERT_TRUE(fd);
  EXPECT_EQ(option_of(*fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(*fd, IPPROTO_TCP, TCP_KEEPIDLE), kKeepIdleSeconds);
  EXPECT_EQ(option_of(*fd, IPPROTO_TCP, TCP_KEEPINTVL), kKeepEverySeconds);
  EXPECT_EQ(option_of(*fd, IPPROTO_TCP, TCP_USER_TIMEOUT), kVanishedMs);
}

}  // namespace
}  // namespace casemate::client
