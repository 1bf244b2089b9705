// SPDX-License-Identifier: Apache-2.0
// Whom the gate lets through, for how long, and when it takes that back.
#include "outside/proxy/gate.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "outside/client/http.h"
#include "outside/proxy/opener.h"
#include "outside/proxy/testing/trial.h"

namespace casemate::proxy {
namespace {

using client::Protocol;
using client::testing::http;
using client::testing::HttpRequest;
using client::testing::Reply;
using client::testing::TestServer;
using testing::gate_options;
using testing::MovedClock;
using testing::turn_bad;
using verify::testing::digest_of;

void tell_nobody(const std::expected<verify::Verdict, Refusal>&) {}

std::string refusal_of(const auto& result) {
  return result ? "no refusal" : result.error().error.text;
}

bool says(const std::string& text, std::string_view part) { return text.contains(part); }

// Answers a question about that model alone.
TestServer::Hook about(const std::string& model, const Reply& reply) {
  return [=](const HttpRequest& request) -> std::optional<Reply> {
    if (!request.target.contains("&model=" + model)) return std::nullopt;
    return reply;
  };
}

const Reply kBusy{http(503, R"({"error": "the monitor is busy"})")};

TEST(Gate, a_model_that_does_not_run_is_judged_as_the_others_are) {
  TestServer server;  // where echo is still starting
  const MovedClock clock;
  GateOptions options = gate_options(server.url(), clock);
  options.policy.models["digits"] = {};
  options.policy.models["echo"].model = {digest_of("another")};
  Gate gate(options, tell_nobody);
  const auto opened = gate.open(Protocol::kHttp1);
  EXPECT_TRUE(says(refusal_of(opened), "enclave.model of model echo")) << refusal_of(opened);
  options.policy.models["echo"].model = {digest_of("echo model")};
  Gate other(options, tell_nobody);
  EXPECT_TRUE(other.open(Protocol::kHttp1));
  EXPECT_FALSE(other.due()) << "everything was looked at";
}

TEST(Gate, a_model_that_nobody_vouches_for_yet_is_looked_at_again_and_again) {
  TestServer server;
  const MovedClock clock;
  Gate gate(gate_options(server.url(), clock), tell_nobody);
  server.hook(about("echo", kBusy));
  ASSERT_TRUE(gate.open(Protocol::kHttp1));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(gate.due());
    gate.look_again();
    EXPECT_FALSE(gate.revoked());
  }
  server.hook(nullptr);
  gate.look_again();
  EXPECT_FALSE(gate.due());
}

TEST(Gate, a_model_that_runs_and_that_nobody_vouches_for_lets_nobody_through) {
  TestServer server;
  const MovedClock clock;
  Gate gate(gate_options(server.url(), clock), tell_nobody);
  server.hook(about("digits", kBusy));
  const auto opened = gate.open(Protocol::kHttp1);
  EXPECT_TRUE(says(refusal_of(opened), "the monitor is busy")) << refusal_of(opened);
}

// A gateway with two versions of one model; without one that is named, the higher answers.
std::optional<Reply> two_versions(TestServer& server, const HttpRequest& request, bool honest) {
  if (request.target == "/v2/repository/index")
    return Reply{http(200, R"([{"name": "digits", "version": "1", "state": "READY", "reason": ""},
      {"name": "digits", "version": "2", "state": "READY", "reason": ""}])")};
  if (!request.target.contains("&model=digits")) return std::nullopt;
  const uint32_t version = honest && request.target.contains("&version=1") ? 1 : 2;
  return Reply{http(200, text_of(server.fresh_evidence(request.proof(), "digits", version)))};
}

TEST(Gate, each_version_of_a_model_is_judged_and_none_answers_for_another) {
  TestServer server;
  const MovedClock clock;
  std::atomic<bool> honest = true;
  server.hook([&](const HttpRequest& request) { return two_versions(server, request, honest); });
  GateOptions options = gate_options(server.url(), clock);
  options.policy.models["digits"].model = {digest_of("digits model 2")};
  const auto lower = Gate(options, tell_nobody).open(Protocol::kHttp1);
  EXPECT_TRUE(says(refusal_of(lower), "enclave.model of model digits")) << refusal_of(lower);
  options.policy.models["digits"].model.push_back(digest_of("digits model"));
  const auto both = Gate(options, tell_nobody).open(Protocol::kHttp1);
  EXPECT_TRUE(both) << refusal_of(both);
  honest = false;
  const auto hidden = Gate(options, tell_nobody).open(Protocol::kHttp1);
  EXPECT_TRUE(says(refusal_of(hidden), "model.name of model digits")) << refusal_of(hidden);
  EXPECT_TRUE(says(refusal_of(hidden), "version 1")) << refusal_of(hidden);
}

TEST(Gate, a_model_that_is_named_is_judged_in_every_version_and_the_others_in_none) {
  TestServer server;
  const MovedClock clock;
  server.hook(about("echo", kBusy));
  GateOptions options = gate_options(server.url(), clock);
  options.models = {"digits"};
  Gate gate(options, tell_nobody);
  ASSERT_TRUE(gate.open(Protocol::kHttp1));
  EXPECT_FALSE(gate.due());
  EXPECT_TRUE(std::ranges::any_of(server.requests(), [](const std::string& request) {
    return request.ends_with("&model=digits&version=1");
  }));
  server.hook(about("gone", {http(404, R"({"error": "there is no model named 'gone'"})")}));
  options.models = {"gone"};
  const auto opened = Gate(options, tell_nobody).open(Protocol::kHttp1);
  EXPECT_TRUE(says(refusal_of(opened), "no model named")) << refusal_of(opened);
}

TEST(Gate, a_server_that_fails_before_one_client_is_revoked_for_all) {
  TestServer server;
  const MovedClock clock;
  Gate gate(gate_options(server.url(), clock), tell_nobody);
  ASSERT_TRUE(gate.open(Protocol::kHttp1));
  EXPECT_FALSE(gate.revoked());
  turn_bad(server);
  const auto opened = gate.open(Protocol::kHttp2);
  EXPECT_TRUE(says(refusal_of(opened), "token.debug")) << refusal_of(opened);
  EXPECT_TRUE(gate.revoked());
  EXPECT_FALSE(gate.revoked()) << "once";
  EXPECT_FALSE(gate.open(Protocol::kHttp1));
  EXPECT_FALSE(gate.revoked()) << "nobody has been let through since";
}

TEST(Gate, a_server_that_cannot_be_reached_keeps_its_verdict_until_that_is_too_old) {
  std::optional<TestServer> server(std::in_place);
  MovedClock clock;
  Gate gate(gate_options(server->url(), clock), tell_nobody);
  server->hook(about("echo", kBusy));
  ASSERT_TRUE(gate.open(Protocol::kHttp1));
  server.reset();
  gate.look_again();
  EXPECT_FALSE(gate.open(Protocol::kHttp1));
  EXPECT_FALSE(gate.revoked());
  EXPECT_TRUE(gate.due()) << "it goes on being looked at";
  clock.passed = verify::Policy::kMaxAgeSeconds + 1;
  gate.look_again();
  EXPECT_TRUE(gate.revoked());
  EXPECT_FALSE(gate.due());
}

TEST(Gate, a_server_with_another_key_is_looked_at_and_whoever_has_the_old_one_must_go) {
  TestServer server;
  const MovedClock clock;
  Gate gate(gate_options(server.url(), clock), tell_nobody);
  ASSERT_TRUE(gate.open(Protocol::kHttp1));
  server.bend([](verify::testing::Signer& signer) {
    signer.tls = *SigningKey::generate();
    signer.tokens[0].key_hash = sha384(signer.tls.public_der());
    signer.make_claims();
    signer.sign_quote();
  });
  server.show(server.signer.tls, server.fresh_evidence(Nonce{}, ""));
  const auto opened = gate.open(Protocol::kHttp1);
  EXPECT_TRUE(opened) << refusal_of(opened);
  EXPECT_TRUE(gate.revoked());
}

TEST(Gate, a_proof_is_good_for_a_day_however_old_the_policy_lets_evidence_be) {
  TestServer server;
  MovedClock clock;
  GateOptions options = gate_options(server.url(), clock);
  options.policy.max_age_seconds = 30 * verify::Cache::kProofSeconds;
  Gate gate(options, tell_nobody);
  ASSERT_TRUE(gate.open(Protocol::kHttp1));
  clock.passed = verify::Cache::kProofSeconds - 1;
  EXPECT_FALSE(gate.due());
  clock.passed = verify::Cache::kProofSeconds;
  EXPECT_TRUE(gate.due());
}

TEST(Gate, the_proof_is_of_the_connection_that_is_let_through) {
  TestServer server;
  const MovedClock clock;
  Gate gate(gate_options(server.url(), clock), tell_nobody);
  std::mutex mutex;
  std::vector<SessionBinding> proved;
  server.hook([&](const HttpRequest& request) -> std::optional<Reply> {
    const std::lock_guard lock(mutex);
    if (request.target.contains("nonce=")) proved.push_back(request.session);
    return std::nullopt;
  });
  auto opened = gate.open(Protocol::kHttp1);
  ASSERT_TRUE(opened) << refusal_of(opened);
  EXPECT_EQ(server.connections(), 1);
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(proved, std::vector(3, opened->binding())) << "the gateway's and two models'";
  }
  client::Request request;
  request.target = "/v2/models/digits";
  const client::Deadline deadline(clock, std::chrono::seconds(10));
  const auto response = client::exchange(*opened, "proxy.test", request, deadline);
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(response->status, 200u) << "and it can be used";
}

TEST(Gate, a_connection_that_the_server_ends_after_the_proof_is_replaced_by_one_of_the_same_key) {
  TestServer server;
  const MovedClock clock;
  Gate gate(gate_options(server.url(), clock), tell_nobody);
  server.hook([&](const HttpRequest& request) -> std::optional<Reply> {
    if (!request.target.contains("&model=echo")) return std::nullopt;
    return Reply{
        http(200, text_of(server.fresh_evidence(request.proof(), "echo")), "Connection: close\r\n"),
        Reply::Then::kClose};
  });
  auto opened = gate.open(Protocol::kHttp1);
  ASSERT_TRUE(opened) << refusal_of(opened);
  EXPECT_TRUE(opened->quiet());
  EXPECT_EQ(server.connections(), 2);
}

// Waits until the opener has rung.
bool rung(const Opener& opener) {
  pollfd item{.fd = opener.bell(), .events = POLLIN, .revents = 0};
  if (::poll(&item, 1, 10'000) != 1) return false;
  uint64_t count = 0;
  return ::read(opener.bell(), &count, sizeof count) == sizeof count;
}

TEST(Opener, what_was_opened_before_a_verdict_failed_and_not_fetched_is_opened_anew) {
  TestServer server;
  const MovedClock clock;
  auto opener = Opener::make(gate_options(server.url(), clock), tell_nobody);
  ASSERT_TRUE(opener);
  (*opener)->ask(1, Protocol::kHttp1);
  ASSERT_TRUE(rung(**opener));
  turn_bad(server);
  (*opener)->ask(2, Protocol::kHttp1);
  Opener::News all;
  while (all.opened.size() < 2 && rung(**opener)) {
    Opener::News news = (*opener)->take();
    all.revoked |= news.revoked;
    for (Opener::Opened& opened : news.opened) all.opened.push_back(std::move(opened));
  }
  EXPECT_TRUE(all.revoked);
  ASSERT_EQ(all.opened.size(), 2u);
  for (const Opener::Opened& opened : all.opened)
    EXPECT_TRUE(says(refusal_of(opened.channel), "token.debug")) << opened.ticket;
}

TEST(Opener, who_waits_while_the_policy_is_replaced_is_judged_by_the_new_one_and_hears_nothing) {
  TestServer server;
  const MovedClock clock;
  GateOptions options = gate_options(server.url(), clock);
  std::atomic<bool> replaced = false;
  options.changed_policy = [&, policy = options.policy]() -> Result<std::optional<verify::Policy>> {
    if (!replaced.exchange(false)) return std::optional<verify::Policy>();
    return std::optional<verify::Policy>(policy);
  };
  std::atomic<int> looks = 0;
  server.hook([&](const HttpRequest& request) -> std::optional<Reply> {
    if (request.target.contains("&model=digits") && looks++ == 0) replaced = true;
    return std::nullopt;
  });
  auto opener = Opener::make(options, tell_nobody);
  ASSERT_TRUE(opener);
  (*opener)->ask(1, Protocol::kHttp1);
  ASSERT_TRUE(rung(**opener));
  const Opener::News news = (*opener)->take();
  ASSERT_EQ(news.opened.size(), 1u);
  EXPECT_TRUE(news.opened[0].channel) << refusal_of(news.opened[0].channel);
  EXPECT_EQ(looks, 2);
}

}  // namespace
}  // namespace casemate::proxy
