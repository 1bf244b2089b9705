// SPDX-License-Identifier: Apache-2.0
// The key service and those who only want it to stop, and what comes to who asks it. None of them
// has evidence: they connect, and that is all it takes.
#include "outside/keys/service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <new>
#include <optional>
#include <thread>

#include "base/format.h"
#include "outside/client/connect.h"
#include "outside/launch/address.h"
#include "outside/launch/listen.h"
#include "tests/sealed/small_model.h"

namespace casemate::tests {
namespace {

using keys::Service;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Now = std::chrono::steady_clock;

// What never ends: `before` once, then `again` until the other side has had enough of it or `most`
// has passed. True when it was the other side.
bool pours(const Fd& socket, const std::string& before, const std::string& again, seconds most) {
  const auto until = Now::now() + most;
  std::string left = before;
  while (Now::now() < until) {
    pollfd waiting{socket.number(), POLLOUT, 0};
    ::poll(&waiting, 1, 100);
    const ssize_t size =
        ::send(socket.number(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN) return true;
    if (size > 0) left.erase(0, static_cast<size_t>(size));
    if (left.empty()) left = again;
  }
  return false;
}

// All that comes until the other side closes or `most` has passed; `closed` says which.
std::string heard(const Fd& socket, milliseconds most, bool& closed) {
  const auto until = Now::now() + most;
  std::string all;
  closed = false;
  while (!closed && Now::now() < until) {
    pollfd waiting{socket.number(), POLLIN, 0};
    if (::poll(&waiting, 1, 10) != 1) continue;
    char piece[4096];
    const ssize_t size = ::recv(socket.number(), piece, sizeof piece, MSG_DONTWAIT);
    closed = size == 0 || (size < 0 && errno != EAGAIN);
    if (size > 0) all.append(piece, static_cast<size_t>(size));
  }
  return all;
}

// Has no memory left when a test says so.
class FailingRandom final : public Random {
 public:
  void fill(MutableBytes bytes) override {
    if (fails) throw std::bad_alloc();
    system_random().fill(bytes);
  }
  std::atomic<bool> fails = false;
};

class KeyService : public testing::Test {
 protected:
  KeyService()
      : store_(*keys::Store::open(folder_.path("keys"), system_clock(), system_random(), true)) {
    Fd listener = *launch::listen_on("127.0.0.1:0");
    address_ = *launch::address_of(listener);
    where_ = *launch::Address::parse(address_);
    service_.emplace(std::move(listener), keeper_, system_clock());
  }
  // A connection of the peer 127.0.0.N.
  [[nodiscard]] Fd connect(unsigned n = 1) const {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + n);
    const void* at = &address;
    EXPECT_EQ(::bind(socket.number(), static_cast<const sockaddr*>(at), sizeof address), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(where_.port);
    EXPECT_EQ(::connect(socket.number(), static_cast<const sockaddr*>(at), sizeof address), 0);
    return socket;
  }
  [[nodiscard]] Result<keys::HttpAnswer> ask(const keys::HttpRequest& request, unsigned n) const {
    return keys::ask(connect(n), address_, request, client::Deadline(system_clock(), seconds(20)));
  }
  // Whether that peer is served, and how long it takes.
  [[nodiscard]] bool served_at_once(unsigned n) const {
    const auto began = Now::now();
    const auto answer = ask({"GET", "/v1/nonce", {}}, n);
    return answer && answer->status == 200 && Now::now() - began < Service::kFirstByte;
  }
  // The same on a machine that has other things to do.
  [[nodiscard]] bool served_in_the_end(unsigned n) const {
    for (const auto until = Now::now() + seconds(10); Now::now() < until;) {
      const auto answer = ask({"GET", "/v1/nonce", {}}, n);
      if (answer && answer->status == 200) return true;
      std::this_thread::sleep_for(milliseconds(100));
    }
    return false;
  }

  Folder folder_;
  keys::Store store_;
  FailingRandom random_;
  keys::Keeper keeper_{store_, system_clock(), random_};
  std::string address_;
  launch::Address where_;
  std::optional<Service> service_;
};

TEST_F(KeyService, serves_on_while_a_crowd_says_nothing) {
  std::vector<Fd> crowd;
  for (unsigned peer = 2; peer < 10; ++peer) {
    for (size_t i = 0; i < Service::kPerPeer; ++i) crowd.push_back(connect(peer));
  }
  EXPECT_TRUE(served_at_once(1));
  bool closed = false;
  EXPECT_EQ(heard(crowd.front(), 3 * Service::kFirstByte, closed), "");
  EXPECT_TRUE(closed) << "who says nothing is let go";
}

TEST_F(KeyService, has_a_few_places_for_each_peer_and_gives_them_back) {
  std::vector<Fd> idle;
  for (size_t i = 0; i < Service::kPerPeer; ++i) idle.push_back(connect(2));
  const Fd one_more = connect(2);
  bool closed = false;
  EXPECT_EQ(heard(one_more, milliseconds(700), closed), "");
  EXPECT_TRUE(closed);
  EXPECT_TRUE(served_at_once(1)) << "others are not touched by that";
  idle.clear();
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_TRUE(served_at_once(2));
}

TEST_F(KeyService, that_32_peers_fill_closes_the_next_one_s_connection_and_has_room_again_soon) {
  constexpr size_t kPeers = Service::kConnections / Service::kPerPeer;
  static_assert(kPeers == 32);
  const auto began = Now::now();
  std::vector<Fd> crowd;
  for (unsigned peer = 2; peer < 2 + kPeers; ++peer) {
    for (size_t i = 0; i < Service::kPerPeer; ++i) crowd.push_back(connect(peer));
  }
  const Fd one_more = connect(1);
  bool closed = false;
  const std::string said = heard(one_more, Service::kFirstByte / 2, closed);
  if (Now::now() - began > Service::kFirstByte)
    GTEST_SKIP() << "this machine is too busy: the first of the crowd have been let go";
  EXPECT_EQ(said, "");
  EXPECT_TRUE(closed) << "it would take memory of everybody's";
  // Who says nothing is let go after kFirstByte: later on a machine that has other things to do.
  EXPECT_TRUE(served_in_the_end(1)) << "the crowd says nothing, and keeps its places";
}

TEST_F(KeyService, outlives_exceptions_and_says_so_to_whoever_asked) {
  random_.fails = true;
  for (int i = 0; i < 3; ++i) {
    const auto answer = ask({"GET", "/v1/nonce", {}}, 1);
    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(answer->status, 503u);
    EXPECT_EQ(answer->type, keys::kRefusalType);
    EXPECT_EQ(text_of(answer->body), "the key service cannot answer now\n");
  }
  random_.fails = false;
  EXPECT_TRUE(served_at_once(1));
}

// poll(2) refuses as many descriptors as a process may not have.
class FewDescriptors final {
 public:
  FewDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{1, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

milliseconds processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return seconds(used.tv_sec) + milliseconds(used.tv_nsec / 1'000'000);
}

TEST_F(KeyService, that_cannot_poll_rests_lets_the_silent_go_and_goes_on_when_it_can) {
  const Fd talking = connect();
  const Fd silent = connect();
  std::this_thread::sleep_for(milliseconds(100));
  const auto began = Now::now();
  const auto used = processor_time();
  {
    const FewDescriptors few;
    // Wakes the thread, which waits in poll(2) still.
    ASSERT_EQ(::send(talking.number(), "G", 1, MSG_NOSIGNAL), 1);
    bool closed = false;
    EXPECT_EQ(heard(silent, seconds(10), closed), "");
    EXPECT_TRUE(closed) << "deadlines stood still";
  }
  // One that does not rest has a core of its own, or, where others want it as well, a share of one;
  // one that rests has next to nothing of any.
  EXPECT_LT(processor_time() - used, (Now::now() - began) / 4) << "it does not rest";
  EXPECT_TRUE(served_in_the_end(1));
}

TEST_F(KeyService, lets_nobody_dribble_a_head) {
  const Fd slow = connect();
  const auto began = Now::now();
  const std::string head = "GET /v1/nonce HTTP/1.1\r\nHost: " + std::string(200, 'x');
  size_t sent = 0;
  pollfd answered{slow.number(), POLLIN, 0};
  while (sent < head.size() && ::poll(&answered, 1, 50) == 0) {
    if (::send(slow.number(), head.data() + sent++, 1, MSG_NOSIGNAL) != 1) break;
  }
  EXPECT_LT(sent, head.size());
  EXPECT_LT(Now::now() - began, 3 * Service::kHead);
  bool closed = false;
  const std::string said = heard(slow, 3 * Service::kEnd, closed);
  EXPECT_TRUE(said.starts_with("HTTP/1.1 408 ")) << said;
  EXPECT_TRUE(closed) << "though this side has closed nothing";
}

TEST_F(KeyService, refuses_a_request_that_does_not_say_how_long_it_is) {
  const std::string begin =
      "POST /v1/keys HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& endless : {"5;" + std::string(1000, 'e'), "0\r\nx: " + begin,
                                     std::string("1\r\na\r\n"), std::string()}) {
    const Fd socket = connect();
    const std::string all = begin + endless;
    ASSERT_EQ(::send(socket.number(), all.data(), all.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(all.size()));
    bool closed = false;
    const std::string said = heard(socket, 3 * Service::kEnd, closed);
    EXPECT_TRUE(said.starts_with("HTTP/1.1 411 ")) << said;
    EXPECT_TRUE(closed);
  }
  EXPECT_TRUE(served_at_once(1));
}

TEST_F(KeyService, has_enough_of_whoever_never_pauses) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";
  const std::string post = "POST /v1/keys HTTP/1.1\r\n";
  const std::string lines = "a: " + std::string(60, 'b') + "\r\n";
  const std::pair<std::string, std::string> endless[] = {
      {post, lines},
      {post, "x"},
      {post + chunked + "1;", "extension"},
      {post + chunked + "0\r\n", lines},
      {post + chunked, "1;extension\r\nx\r\n"},
      {post + "Content-Length: 99999999999\r\n\r\n", "body"},
      {"GET /v1/nonce HTTP/1.1\r\n\r\n", "and on"}};
  for (const auto& [before, again] : endless) {
    const auto began = Now::now();
    std::string much;
    while (much.size() < 16'000) much += again;
    EXPECT_TRUE(pours(connect(), before, much, seconds(10))) << before;
    EXPECT_LT(Now::now() - began, seconds(4)) << before;
  }
  EXPECT_TRUE(served_at_once(1));
}

TEST_F(KeyService, ends_promptly_with_connections_open) {
  const Fd idle = connect();
  const Fd begun = connect();
  ASSERT_EQ(::send(begun.number(), "GET ", 4, MSG_NOSIGNAL), 4);
  const Fd answered = connect();
  const std::string request = "GET /v1/nonce HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(answered.number(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::this_thread::sleep_for(milliseconds(100));
  const auto began = Now::now();
  service_.reset();
  EXPECT_LT(Now::now() - began, milliseconds(500));
  bool closed = false;
  heard(begun, seconds(1), closed);
  EXPECT_TRUE(closed);
}

TEST_F(KeyService, writes_nothing_for_whom_it_gave_no_nonce) {
  std::vector<uint8_t> body(1000);
  sealed::KeyRequest request;
  request.name = Text<64>::from("any");
  std::ranges::copy(bytes_of(request), body.begin());
  for (int i = 0; i < 20; ++i) {
    const auto answer = ask({"POST", "/v1/keys", body}, 1);
    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(answer->status, 403u);
    EXPECT_EQ(answer->type, keys::kRefusalType);
    EXPECT_TRUE(text_of(answer->body).starts_with(keys::kNonceRefused));
  }
  service_.reset();
  EXPECT_EQ(store_.audit(100)->size(), 0u);
}

// Waits for the answer of somebody who says `before` and then `again` for ever.
Result<keys::HttpAnswer> answer_of(const std::string& before, const std::string& again) {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const Fd mine(ends[0]);
  std::jthread other(
      [theirs = Fd(ends[1]), &before, &again] { pours(theirs, before, again, seconds(10)); });
  auto answer =
      keys::ask(mine, "x", {"GET", "/", {}}, client::Deadline(system_clock(), seconds(8)));
  ::shutdown(mine.number(), SHUT_RDWR);
  return answer;
}

TEST(KeyServiceAnswer, may_come_in_chunks_and_in_no_endless_ones) {
  const std::string begin = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto whole = answer_of(begin + "3;x=y\r\nkey\r\n0\r\na: b\r\n\r\n", "more");
  ASSERT_TRUE(whole) << whole.error().text;
  EXPECT_EQ(text_of(whole->body), "key");
  const std::pair<std::string, std::string> endless[] = {
      {"HTTP/1.1 200 OK\r\n", "a: b\r\n"},
      {begin + "1;", std::string(100, 'e')},
      {begin + "0\r\n", "a: b\r\n"},
      {begin, "1;" + std::string(1000, 'e') + "\r\nx\r\n"},
      {begin, "1000\r\n" + std::string(4096, 'x') + "\r\n"}};
  for (const auto& [before, again] : endless) {
    const auto answer = answer_of(before, again);
    ASSERT_FALSE(answer) << before;
    EXPECT_EQ(answer.error().code, Code::kTooLarge) << before << answer.error().text;
  }
}

TEST(KeyServiceAnswer, is_not_waited_for_beyond_the_deadline_by_who_is_always_ready) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd ready(ends[0]);
  const Fd writer(ends[1]);
  ASSERT_EQ(::write(writer.number(), "x", 1), 1);
  EXPECT_TRUE(
      client::wait_for(ready.number(), POLLIN, client::Deadline(system_clock(), seconds(60))));
  const auto late =
      client::wait_for(ready.number(), POLLIN, client::Deadline(system_clock(), Duration::zero()));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kTimedOut);
}

}  // namespace
}  // namespace casemate::tests
