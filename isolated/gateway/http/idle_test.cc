// SPDX-License-Identifier: Apache-2.0
// Ten thousand idle clients. They live in a child process, since both ends of so many connections
// would not fit one process's table of descriptors.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "isolated/gateway/loopback/echo_server.h"

namespace casemate::gateway {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kClients = 500;  // a handshake takes twenty times as long
constexpr bool kMeasured = false;
#else
constexpr int kClients = 10'000;
constexpr bool kMeasured = true;
#endif

uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

double process_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// The child: connects, tells how many hands were shaken, and waits for its end.
[[noreturn]] void be_clients(int orders, int reports) {
  uint16_t port = 0;
  if (::read(orders, &port, sizeof port) != sizeof port) ::_exit(1);
  std::vector<Fd> sockets;
  for (int i = 0; i < kClients; ++i) {
    TlsClient client(port);
    if (!client.connected()) break;
    sockets.emplace_back(::dup(client.socket()));
  }
  const int connected = static_cast<int>(sockets.size());
  (void)!::write(reports, &connected, sizeof connected);
  char end = 0;
  (void)!::read(orders, &end, 1);
  ::_exit(0);
}

TEST(Idle, ten_thousand_clients_cost_little_and_disturb_nobody) {
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  if (descriptors.rlim_cur < kClients + 100) GTEST_SKIP() << "too few descriptors are allowed here";
  int orders[2];
  int reports[2];
  ASSERT_EQ(::pipe(orders) | ::pipe(reports), 0);
  const pid_t child = ::fork();
  if (child == 0) be_clients(orders[0], reports[1]);

  HttpLimits limits;
  limits.idle = std::chrono::minutes(10);
  limits.handshakes_per_round = 64;  // nobody else is served meanwhile
  EchoServer server(limits);
  TlsClient client(server.port());
  ASSERT_TRUE(client.exchange(post("/echo", "x")));
  const uint64_t before = resident_bytes();
  const uint16_t port = server.port();
  ASSERT_EQ(::write(orders[1], &port, sizeof port), ssize_t{sizeof port});
  int connected = 0;
  ASSERT_EQ(::read(reports[0], &connected, sizeof connected), ssize_t{sizeof connected});
  EXPECT_EQ(connected, kClients);
  EXPECT_EQ(server.counters().connections, static_cast<uint64_t>(kClients) + 1);

  const uint64_t each = (resident_bytes() - before) / kClients;
  const double cpu = process_seconds();
  ::usleep(300'000);
  const double idle_cpu = process_seconds() - cpu;
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.exchange(post("/echo", "y"))->body, "y");
  std::printf("%d idle clients: %lu bytes each, %.1f ms of processor time in 300 ms\n", connected,
              static_cast<unsigned long>(each), idle_cpu * 1e3);
  if (kMeasured) {
    EXPECT_LT(each, 32u << 10);
    EXPECT_LT(idle_cpu, 0.03);
  }
  ASSERT_EQ(::write(orders[1], "", 1), 1);
  ::waitpid(child, nullptr, 0);
  for (int i = 0; i < 1000 && server.counters().connections > 1; ++i) ::usleep(10'000);
  EXPECT_EQ(server.counters().connections, 1u);
}

}  // namespace
}  // namespace casemate::gateway
