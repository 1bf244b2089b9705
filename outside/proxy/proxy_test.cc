// SPDX-License-Identifier: Apache-2.0
// What clients see of the proxy: that all are served, and cut off when the server no longer passes.
#include "outside/proxy/proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <thread>

#include "base/format.h"
#include "outside/proxy/testing/trial.h"

namespace casemate::proxy {
namespace {

using client::testing::TestServer;
using std::chrono::milliseconds;
using testing::gate_options;
using testing::MovedClock;
using testing::turn_bad;

constexpr std::string_view kAsk = "GET /v2/models/digits HTTP/1.1\r\nHost: proxy.test\r\n\r\n";
// Nobody listens there.
constexpr const char* kNowhere = "https://127.0.0.1:9";
constexpr int kBacklog = 256;

// A proxy on a thread of its own.
class RunningProxy final {
 public:
  explicit RunningProxy(
      const std::string& url, const ProxyLimits& limits = {},
      const std::function<void(GateOptions&)>& change = [](GateOptions&) {}) {
    Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(listener.number(), generic(), size), 0);
    EXPECT_EQ(::listen(listener.number(), kBacklog), 0);
    EXPECT_EQ(::getsockname(listener.number(), generic(), &size), 0);
    const auto tell = [](const std::expected<verify::Verdict, Refusal>&) {};
    GateOptions options = gate_options(url, clock_);
    change(options);
    proxy_ = *Proxy::make(std::move(listener), std::move(options), tell, limits);
  }
  ~RunningProxy() {
    proxy_->stop();
    if (thread_.joinable()) thread_.join();
  }
  void start() {
    thread_ = std::thread([this] {
      task_ = ::gettid();
      EXPECT_TRUE(proxy_->run());
    });
  }
  Fd connect() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.number(), generic(), sizeof address_), 0);
    return fd;
  }
  // How often its thread has gone to sleep.
  [[nodiscard]] long sleeps() const {
    std::ifstream status(formatted("/proc/self/task/{}/status", task_.load()));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("voluntary_ctxt_switches:")) return std::stol(line.substr(24));
    }
    return -1;
  }

 private:
  sockaddr* generic() { return static_cast<sockaddr*>(static_cast<void*>(&address_)); }
  sockaddr_in address_{};
  MovedClock clock_;
  std::unique_ptr<Proxy> proxy_;
  std::atomic<pid_t> task_ = 0;
  std::thread thread_;
};

void ask(const Fd& client) {
  EXPECT_EQ(::send(client.number(), kAsk.data(), kAsk.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(kAsk.size()));
}

// What comes next: text, nothing when the connection ended, none when nothing comes in time.
std::optional<std::string> hear(const Fd& client, milliseconds patience = milliseconds(10'000)) {
  const timeval time{.tv_sec = patience.count() / 1000, .tv_usec = patience.count() % 1000 * 1000};
  ::setsockopt(client.number(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  std::string text(4096, ' ');
  const ssize_t got = ::recv(client.number(), text.data(), text.size(), 0);
  if (got < 0 && errno == EAGAIN) return std::nullopt;
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

TEST(Proxy, a_burst_of_a_hundred_clients_is_served_to_the_last) {
  RunningProxy proxy(kNowhere);
  std::vector<Fd> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(proxy.connect());
    ask(clients.back());
  }
  proxy.start();
  for (const Fd& client : clients)
    ASSERT_TRUE(hear(client).value_or("").starts_with("HTTP/1.1 502 ")) << client.number();
}

TEST(Proxy, an_idle_proxy_sleeps) {
  RunningProxy proxy(kNowhere);
  proxy.start();
  const Fd client = proxy.connect();
  ask(client);
  ASSERT_TRUE(hear(client));
  while (hear(client).value_or("") != "") {
  }
  std::this_thread::sleep_for(milliseconds(2500));  // whoever lingers has gone
  const long before = proxy.sleeps();
  ASSERT_GT(before, 0);
  std::this_thread::sleep_for(milliseconds(1000));
  EXPECT_LE(proxy.sleeps() - before, 2);
}

TEST(Proxy, clients_are_cut_off_when_the_server_fails_before_another_client) {
  TestServer server;
  RunningProxy proxy(server.url());
  proxy.start();
  const Fd first = proxy.connect();
  ask(first);
  ASSERT_TRUE(hear(first).value_or("").starts_with("HTTP/1.1 200 "));
  turn_bad(server);
  const Fd second = proxy.connect();
  ask(second);
  auto more = hear(first);
  while (more && !more->empty()) more = hear(first);
  EXPECT_TRUE(more) << "it is still connected";
}

// What it asks about itself, and nothing else: no request of a client.
bool heard_the_proxy_alone(TestServer& server) {
  return std::ranges::all_of(server.requests(), [](const std::string& request) {
    return request.starts_with("GET /v2/casemate/evidence") ||
           request == "POST /v2/repository/index";
  });
}

TEST(Proxy, nothing_of_a_client_that_is_refused_reaches_the_server) {
  TestServer server;
  turn_bad(server);
  RunningProxy proxy(server.url());
  proxy.start();
  for (int i = 0; i < 3; ++i) {
    const Fd client = proxy.connect();
    ask(client);
    auto said = hear(client);
    ASSERT_TRUE(said.value_or("").starts_with("HTTP/1.1 502 ")) << said.value_or("nothing");
    while (said && !said->empty()) said = hear(client);
  }
  EXPECT_GT(server.connections(), 0) << "it was never asked";
  EXPECT_TRUE(heard_the_proxy_alone(server));
}

TEST(Proxy, a_policy_that_cannot_be_used_any_more_cuts_clients_off_and_the_server_hears_no_more) {
  TestServer server;
  std::atomic<bool> broken = false;
  RunningProxy proxy(server.url(), {}, [&](GateOptions& options) {
    options.changed_policy = [&]() -> Result<std::optional<verify::Policy>> {
      if (broken) return Error{Code::kInvalid, "policy.json: is no JSON"};
      return std::optional<verify::Policy>();
    };
  });
  proxy.start();
  const Fd first = proxy.connect();
  ask(first);
  ASSERT_TRUE(hear(first).value_or("").starts_with("HTTP/1.1 200 "));
  broken = true;
  auto more = hear(first);
  while (more && !more->empty()) more = hear(first);
  EXPECT_TRUE(more) << "it is still connected";
  const size_t before = server.requests().size();
  const Fd second = proxy.connect();
  ask(second);
  const std::string said = hear(second).value_or("nothing");
  EXPECT_TRUE(said.starts_with("HTTP/1.1 502 ")) << said;
  EXPECT_TRUE(said.contains("policy.json: is no JSON")) << said;
  EXPECT_EQ(server.requests().size(), before);
}

// True when the one place that there is has become free.
bool let_in(RunningProxy& proxy) {
  for (int i = 0; i < 50; ++i) {
    const Fd client = proxy.connect();
    [[maybe_unused]] const auto sent =
        ::send(client.number(), kAsk.data(), kAsk.size(), MSG_NOSIGNAL);
    if (!hear(client, milliseconds(100))) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

TEST(Proxy, a_client_that_leaves_before_it_is_connected_is_not_kept) {
  std::optional<TestServer> server(std::in_place);
  server->ignore_connections();
  RunningProxy proxy(server->url(), {.connections = 1, .linger = milliseconds(100)});
  proxy.start();
  for (const bool reset : {false, true}) {
    Fd client = proxy.connect();
    ask(client);
    EXPECT_FALSE(hear(client, milliseconds(200))) << "it waits for the server";
    const ::linger now{1, 0};
    if (reset) ::setsockopt(client.number(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client.reset();
    EXPECT_TRUE(let_in(proxy)) << reset;
    std::this_thread::sleep_for(milliseconds(500));  // which leaves, too
  }
  server.reset();
}

}  // namespace
}  // namespace casemate::proxy
