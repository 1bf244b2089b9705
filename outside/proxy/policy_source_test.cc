// SPDX-License-Identifier: Apache-2.0
// A policy that changes while the proxy runs.
#include "outside/proxy/policy_source.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "outside/client/file.h"
#include "outside/client/testing/pictures.h"
#include "outside/proxy/testing/trial.h"

namespace casemate::proxy {
namespace {

class PolicyFile : public ::testing::Test {
 protected:
  // In its place in one step, as whoever knows of the proxy does it.
  void write(const std::string& text) const {
    const std::string beside = folder_.path("new");
    std::ofstream(beside) << text;
    std::filesystem::rename(beside, path_);
  }
  void write(const verify::Policy& policy) const { write(verify::policy_text(policy)); }
  static verify::Policy allowing() {
    verify::Policy policy;
    policy.allow_software_root = true;
    return policy;
  }
  static verify::Policy pinning_another() {
    verify::Policy policy = allowing();
    policy.platform = {verify::testing::digest_of("another platform")};
    return policy;
  }
  Result<verify::Policy> read() {
    ++reads_;
    const auto text = TRY(client::read_file(path_, 1 << 20));
    return verify::parse_policy(text_of(text), path_);
  }
  // Of a server that shows what `allowing()` lets through.
  GateOptions options(const std::string& url) {
    GateOptions made = testing::gate_options(url, clock_);
    made.policy = *source_.read();
    made.changed_policy = [this] { return source_.changed(); };
    return made;
  }
  Gate::Tell counting() {
    return [this](const std::expected<verify::Verdict, Refusal>& looked) {
      ++(looked ? passed_ : failed_);
    };
  }
  // Why nobody is let through; empty: somebody was.
  static std::string refused_by(Gate& gate) {
    const auto opened = gate.open(client::Protocol::kHttp1);
    return opened ? "" : opened.error().error.text;
  }

  client::testing::TestFolder folder_;
  std::string path_ = folder_.path("policy.json");
  std::string collateral_ = folder_.path("collateral");
  testing::MovedClock clock_;
  int reads_ = 0;
  int passed_ = 0;
  int failed_ = 0;
  PolicySource source_{{path_, collateral_}, [this] { return read(); }};
};

TEST_F(PolicyFile, is_read_again_when_it_or_a_file_of_the_folder_is_another_and_not_before) {
  std::filesystem::create_directory(collateral_);
  write("{}");
  ASSERT_TRUE(source_.read());
  const auto changed = [&] {
    const auto policy = source_.changed();
    EXPECT_TRUE(policy) << policy.error().text;
    return policy && policy->has_value();
  };
  EXPECT_FALSE(changed());
  EXPECT_EQ(reads_, 1);
  write("{}");  // the same text in another file
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
  std::ofstream(path_) << "{  }";
  EXPECT_TRUE(changed());
  const std::string list = collateral_ + "/list.crl";
  std::ofstream(list) << "a";
  EXPECT_TRUE(changed());
  std::ofstream(list) << "ab";
  EXPECT_TRUE(changed());
  std::filesystem::last_write_time(
      list, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_TRUE(changed());
  std::filesystem::remove(list);
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
}

// Times are those of the kernel's last tick, some milliseconds ago.
TEST_F(PolicyFile, that_changes_and_keeps_its_size_and_time_is_read_again_once) {
  write("{ }");
  ASSERT_TRUE(source_.read());
  for (int i = 0; i < 200; ++i) {
    std::ofstream(path_) << (i % 2 == 0 ? " {}" : "{ }");
    const auto policy = source_.changed();
    ASSERT_TRUE(policy) << policy.error().text;
    ASSERT_TRUE(policy->has_value()) << "missed after " << i;
  }
  const int before = reads_;
  EXPECT_FALSE(source_.changed()->has_value());
  EXPECT_EQ(reads_, before);
}

TEST_F(PolicyFile, is_no_other_for_what_is_being_fetched_into_the_folder) {
  std::filesystem::create_directory(collateral_);
  write("{}");
  ASSERT_TRUE(source_.read());
  const std::string place = collateral_ + "/.fetching-abcdef";
  std::filesystem::create_directory(place);
  std::ofstream(place + "/kept") << "half a li";
  EXPECT_FALSE(source_.changed()->has_value());
  std::filesystem::rename(place + "/kept", collateral_ + "/list.crl");
  EXPECT_TRUE(source_.changed()->has_value());
  std::filesystem::remove(place);
  EXPECT_FALSE(source_.changed()->has_value());
}

class ClockAhead final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return system_clock().now() + ahead; }
  [[nodiscard]] int64_t unix_seconds() const override { return system_clock().unix_seconds(); }
  Duration ahead{};
};

class NoDescriptorLeft final {
 public:
  NoDescriptorLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptorLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptorLeft(const NoDescriptorLeft&) = delete;

 private:
  rlimit before_{};
};

TEST_F(PolicyFile, that_no_descriptor_is_left_for_holds_a_while_and_no_longer) {
  ClockAhead clock;
  PolicySource source({path_}, [this] { return read(); }, clock);
  write("{}");
  ASSERT_TRUE(source.read());
  write("{}");
  {
    const NoDescriptorLeft none;
    const auto policy = source.changed();
    ASSERT_TRUE(policy) << policy.error().text;
    EXPECT_FALSE(policy->has_value());
    clock.ahead = PolicySource::kPatience;
    EXPECT_FALSE(source.changed());
  }
  const auto policy = source.changed();
  ASSERT_TRUE(policy) << policy.error().text;
  EXPECT_TRUE(policy->has_value()) << "what changed meanwhile was forgotten";
}

TEST_F(PolicyFile, that_cannot_be_read_is_tried_again_each_time) {
  write("{");
  EXPECT_FALSE(source_.read());
  EXPECT_FALSE(source_.changed());
  EXPECT_FALSE(source_.changed());
  EXPECT_EQ(reads_, 3);
  write("{}");
  const auto policy = source_.changed();
  ASSERT_TRUE(policy) << policy.error().text;
  EXPECT_TRUE(policy->has_value());
}

TEST_F(PolicyFile, that_a_server_does_not_pass_any_more_lets_nobody_through_and_ends_the_others) {
  client::testing::TestServer server;
  write(allowing());
  Gate gate(options(server.url()), counting());
  ASSERT_EQ(refused_by(gate), "");
  write(pinning_another());
  EXPECT_TRUE(refused_by(gate).contains("platform.measurement")) << refused_by(gate);
  EXPECT_TRUE(gate.revoked());
  write(allowing());
  EXPECT_EQ(refused_by(gate), "");
}

TEST_F(PolicyFile, that_changes_is_noticed_though_nobody_connects) {
  client::testing::TestServer server;
  write(allowing());
  Gate gate(options(server.url()), counting());
  ASSERT_EQ(refused_by(gate), "");
  gate.look_after();
  EXPECT_EQ(passed_, 1) << "nothing has changed";
  write(allowing());
  gate.look_after();
  EXPECT_EQ(passed_, 2) << "it was not looked at again";
  EXPECT_FALSE(gate.revoked()) << "which passes still";
  write(pinning_another());
  gate.look_after();
  EXPECT_EQ(failed_, 1);
  EXPECT_TRUE(gate.revoked());
}

TEST_F(PolicyFile, that_is_replaced_while_the_server_is_looked_at_counts_at_once) {
  using client::testing::HttpRequest;
  using client::testing::Reply;
  client::testing::TestServer server;
  write(allowing());
  Gate gate(options(server.url()), counting());
  ASSERT_EQ(refused_by(gate), "");
  server.hook([this](const HttpRequest& request) -> std::optional<Reply> {
    if (request.target.contains("&model=digits")) write(pinning_another());
    return std::nullopt;
  });
  write(allowing());
  const std::string said = refused_by(gate);
  EXPECT_TRUE(said.contains("was replaced while")) << said;
  EXPECT_TRUE(gate.outrun());
  EXPECT_TRUE(gate.revoked()) << "they stay until the next look has ended";
  EXPECT_EQ(passed_, 1) << "of a policy that is there no more";
  EXPECT_TRUE(refused_by(gate).contains("platform.measurement"));
}

TEST_F(PolicyFile, that_is_replaced_after_the_verdict_lets_its_connection_through_no_more) {
  client::testing::TestServer server;
  write(allowing());
  GateOptions changing = options(server.url());
  changing.record = [this](const auto& looked, const verify::Policy&) {
    if (looked) write(pinning_another());
    return Status();
  };
  Gate gate(changing, counting());
  const std::string said = refused_by(gate);
  EXPECT_TRUE(said.contains("was replaced while")) << said;
  EXPECT_EQ(passed_, 1);
  EXPECT_TRUE(gate.revoked());
  EXPECT_TRUE(refused_by(gate).contains("platform.measurement"));
}

TEST_F(PolicyFile, that_cannot_be_read_any_more_lets_nobody_through_and_ends_the_others) {
  client::testing::TestServer server;
  for (const bool gone : {false, true}) {
    write(allowing());
    Gate gate(options(server.url()), counting());
    ASSERT_EQ(refused_by(gate), "");
    const int before = server.connections();
    if (gone) std::filesystem::remove(path_);
    if (!gone) write("{\"allow_software_root\": 1}");
    gate.look_after();
    EXPECT_TRUE(gate.revoked()) << gone;
    const std::string said = refused_by(gate);
    EXPECT_TRUE(said.contains("policy")) << said;
    EXPECT_TRUE(said.contains(path_)) << said;
    EXPECT_EQ(server.connections(), before) << "the server was asked all the same";
    write(allowing());
    EXPECT_EQ(refused_by(gate), "") << gone;
  }
}

TEST_F(PolicyFile, that_changes_ends_those_whose_server_cannot_be_asked_again) {
  std::optional<client::testing::TestServer> server(std::in_place);
  write(allowing());
  Gate gate(options(server->url()), counting());
  ASSERT_EQ(refused_by(gate), "");
  server.reset();
  gate.look_after();
  EXPECT_FALSE(gate.revoked()) << "it was verified by the policy that holds";
  write(pinning_another());
  gate.look_after();
  EXPECT_TRUE(gate.revoked());
}

TEST_F(PolicyFile, that_wants_another_key_exchange_ends_those_that_have_the_old_one) {
  client::testing::TestServer server;
  verify::Policy policy = allowing();
  policy.insecure_allow_classical_key_exchange = true;
  write(policy);
  server.agree_with("X25519");
  Gate gate(options(server.url()), counting());
  ASSERT_EQ(refused_by(gate), "");
  write(allowing());
  EXPECT_NE(refused_by(gate), "");
  EXPECT_TRUE(gate.revoked());
}

}  // namespace
}  // namespace casemate::proxy
