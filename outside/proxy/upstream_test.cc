// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/upstream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "outside/client/testing/test_server.h"

namespace casemate::proxy {
namespace {

constexpr size_t kRecordHead = 5;  // RFC 8446, section 5.1

// An upstream of that server, whose socket is then one whose other end the test has.
std::unique_ptr<Upstream> upstream_of(const client::testing::TestServer& server, Fd& far) {
  const client::Deadline deadline(system_clock(), std::chrono::seconds(10));
  auto channel = client::Channel::open(*client::parse_url(server.url()), deadline);
  if (!channel) return nullptr;
  auto upstream = Upstream::make(*std::move(channel));
  std::array<int, 2> pair{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const Fd near(pair[0]);
  far = Fd(pair[1]);
  EXPECT_GE(::dup2(near.number(), upstream->socket()), 0);
  return upstream;
}

// How many TLS records have arrived there.
int records_at(const Fd& far) {
  std::array<uint8_t, 4096> bytes{};
  const ssize_t got = ::recv(far.number(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  int count = 0;
  for (size_t at = 0; static_cast<ssize_t>(at + kRecordHead) <= got; ++count)
    at += kRecordHead + (size_t{bytes[at + 3]} << 8 | bytes[at + 4]);
  return count;
}

TEST(Upstream, an_alert_about_one_connection_goes_out_on_no_other) {
  const client::testing::TestServer server;
  Fd far;
  Fd far_of_other;
  const auto broken = upstream_of(server, far);
  const auto other = upstream_of(server, far_of_other);
  ASSERT_TRUE(broken && other);
  std::array<uint8_t, kRecordHead + 32> forged{23, 3, 3, 0, 32};
  ASSERT_EQ(::send(far.number(), forged.data(), forged.size(), 0),
            static_cast<ssize_t>(forged.size()));
  std::vector<uint8_t> into(1024);
  EXPECT_EQ(broken->read(into).state, Upstream::State::kFailed);
  EXPECT_EQ(records_at(far), 1) << "its own server hears why";
  EXPECT_EQ(other->write(bytes_of(std::string_view("hello"))), Upstream::State::kDone);
  EXPECT_EQ(records_at(far_of_other), 1) << "what was written, and no alert before it";
}

}  // namespace
}  // namespace casemate::proxy
