// SPDX-License-Identifier: Apache-2.0
// The channel to `casemate serve` and whoever stands in its way: relays, recordings, other
// enclaves' evidence. What needs a server that lies is in outside/client.
#include <gtest/gtest.h>

#include <thread>

#include "base/format.h"
#include "outside/client/attest.h"
#include "outside/client/testing/test_server.h"
#include "outside/launch/operator.h"
#include "outside/verify/verify.h"
#include "tests/system/served_system.h"

namespace casemate::tests {
namespace {

using client::Server;
using client::testing::Reply;
using client::testing::TestServer;

verify::Policy development() {
  verify::Policy policy;
  policy.allow_software_root = true;
  return policy;
}

Result<Server> open(const std::string& url) { return client::open_server(url, development(), {}); }

std::vector<uint8_t> body_of(Result<client::Response> response) {
  EXPECT_TRUE(response) << response.error().text;
  return response ? std::move(response->body) : std::vector<uint8_t>();
}

client::Request question(const std::string& query) {
  client::Request request;
  request.target = "/v2/casemate/evidence" + query;
  return request;
}

// The first failure of evidence that came over `server`'s connection; "passed".
std::string judged(const Server& server, Bytes evidence, const std::optional<Nonce>& nonce = {},
                   const std::string& model = "", verify::Policy policy = development()) {
  const verify::Expectation expected{.tls_key = server.certificate().key,
                                     .nonce = nonce,
                                     .model = model,
                                     .now_unix = system_clock().unix_seconds()};
  const auto verdict = verify::verify_evidence(evidence, expected, policy);
  const verify::Check* failure = verdict.first_failure();
  return failure == nullptr ? "passed" : formatted("{} {}", failure->code, failure->subject);
}

std::string refusal(const auto& result) { return result ? "no refusal" : result.error().text; }

std::string attested(const std::string& url, const verify::Policy& policy = development()) {
  const auto verdict = client::attest(url, policy, {}, "digits");
  return verdict ? verify::line_of(*verdict) : verdict.error().text;
}

class Channel : public testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(system_.url().empty()) << system_.printed(); }
  ServedSystem system_{source_folder() + "/models"};
};

TEST_F(Channel, proves_itself_for_one_connection_and_nobody_can_use_that_on_another) {
  auto ours = open(system_.url());
  auto other = open(system_.url());
  ASSERT_TRUE(ours && other);
  ASSERT_EQ(ours->certificate().key, other->certificate().key);
  Nonce nonce{};
  nonce.fill(0x5A);
  const auto proof = ours->ask(question("?model=digits&nonce=" + to_hex(nonce)));
  ASSERT_TRUE(proof) << refusal(proof);
  const Nonce right = proof_nonce(nonce, proof->session);
  EXPECT_EQ(judged(*ours, proof->body, right, "digits"), "passed");
  const auto elsewhere = other->ask(question("?model=digits&nonce=" + to_hex(nonce)));
  ASSERT_TRUE(elsewhere) << refusal(elsewhere);
  EXPECT_NE(elsewhere->session, proof->session);
  EXPECT_EQ(judged(*ours, elsewhere->body, right, "digits"), "token.nonce gateway")
      << "a relay through the same honest enclave";
  EXPECT_EQ(judged(*ours, proof->body, proof_nonce(Nonce{}, proof->session)), "token.nonce gateway")
      << "a replay on the same connection";
  EXPECT_EQ(judged(*ours, proof->body, nonce), "token.nonce gateway")
      << "nobody signs what a client sent";
  EXPECT_EQ(judged(*ours, proof->body), "token.nonce gateway") << "a proof is not reused";
  EXPECT_EQ(judged(*ours, proof->body, right, "digits", {}), "root.kind ")
      << "a development root without the flag";
  verify::Policy expired = development();
  expired.max_age_seconds = 1;
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  EXPECT_EQ(judged(*ours, proof->body, right, "digits", expired), "token.issued gateway");
}

TEST_F(Channel, is_refused_to_a_relay_and_to_whoever_shows_its_evidence) {
  auto honest = open(system_.url());
  ASSERT_TRUE(honest) << refusal(honest);
  // A relay with a key of its own that shows what it sees and passes every question on.
  TestServer relay;
  relay.show(relay.signer.tls, honest->certificate().evidence);
  relay.hook([&](const client::testing::HttpRequest& request) -> std::optional<Reply> {
    client::Request passed_on;
    passed_on.target = request.target;
    return Reply{client::testing::http(200, text_of(body_of(honest->ask(passed_on))))};
  });
  EXPECT_TRUE(attested(relay.url()).contains("refused: claims.tls_key")) << attested(relay.url());
  EXPECT_TRUE(relay.requests().empty()) << "nothing was asked of it";
  // Another genuine server, which shows its own certificate and the proofs of this one.
  relay.show(relay.signer.tls, relay.signer.evidence());
  auto stranger = open(relay.url());
  ASSERT_TRUE(stranger) << refusal(stranger);
  const auto lent = stranger->ask(question("?nonce=" + std::string(64, 'a')));
  ASSERT_TRUE(lent) << refusal(lent);
  EXPECT_EQ(judged(*stranger, lent->body), "claims.tls_key ");
  EXPECT_TRUE(attested(system_.url()).starts_with("verified-development"))
      << attested(system_.url());
}

TEST_F(Channel, shows_everybody_the_same_evidence_until_something_changes) {
  const auto reused = [](Server& server) { return body_of(server.ask(question("?model=digits"))); };
  auto one = open(system_.url());
  auto other = open(system_.url());
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->certificate().evidence, other->certificate().evidence);
  EXPECT_EQ(body_of(one->ask(question(""))), one->certificate().evidence);
  const auto before = reused(*one);
  EXPECT_EQ(judged(*one, before, {}, "digits"), "passed");
  EXPECT_EQ(reused(*other), before);
  EXPECT_EQ(reused(*one), before);
  const auto kill = [&](const char* name) {
    const auto killed =
        launch::ask(formatted("{}/run/{}/operator", system_.folder(), system_.pid()),
                    operating::Command::kKill, name);
    ASSERT_TRUE(killed) << killed.error().text;
  };
  kill("digits");
  std::vector<uint8_t> after = before;
  for (int i = 0; i < 1000 && after == before; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto answer = one->ask(question("?model=digits"));
    if (answer) after = answer->body;
  }
  EXPECT_NE(after, before) << "the model was started again";
  EXPECT_EQ(judged(*one, after, {}, "digits"), "passed");
  kill("gateway");
  std::vector<uint8_t> key = one->certificate().key;
  for (int i = 0; i < 1000 && key == one->certificate().key; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto again = open(system_.url());
    if (again) key = again->certificate().key;
  }
  EXPECT_NE(key, one->certificate().key) << "another instance has another key";
}

}  // namespace
}  // namespace casemate::tests
