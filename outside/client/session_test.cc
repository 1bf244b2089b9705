// SPDX-License-Identifier: Apache-2.0
// What a session does with a good server, and that nothing of the user's goes to a bad one.
#include "outside/client/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <ranges>
#include <set>

#include "outside/client/attest.h"
#include "outside/client/classes.h"
#include "outside/client/testing/fixed_clock.h"
#include "outside/client/testing/test_server.h"
#include "outside/verdict/checks.h"
#include "outside/verify/pins.h"
#include "outside/verify/verify.h"

namespace casemate::client {
namespace {

using testing::FixedClock;
using testing::Reply;
using testing::TestServer;
using verify::testing::Signer;

verify::Policy development() {
  verify::Policy policy;
  policy.allow_software_root = true;
  return policy;
}

Options quick() {
  static const FixedClock clock;
  return {.timeout = std::chrono::seconds(5), .clock = &clock};
}

Result<Session> connect(const TestServer& server, const verify::Policy& policy = development(),
                        const Options& options = quick()) {
  return Session::connect(server.url(), policy, options);
}

std::vector<Tensor> picture(float value = 1.0f) {
  Tensor tensor{
      .name = "image", .type = ElementType::kFloat32, .shape = {1, 1, 28, 28}, .data = {}};
  for (int i = 0; i < 28 * 28; ++i) {
    const Bytes bytes = bytes_of(value);
    tensor.data.insert(tensor.data.end(), bytes.begin(), bytes.end());
  }
  return {tensor};
}

// "denied: text" of a failed result.
std::string refusal(const auto& result) {
  if (result) return "no refusal";
  return std::string(name_of(result.error().code)) + ": " + result.error().text;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(Session, a_verified_server_answers_questions_and_inferences) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  EXPECT_EQ(session->verdict().status(), "verified-development");
  const auto models = session->models();
  ASSERT_TRUE(models) << refusal(models);
  EXPECT_EQ(models->at(1).reason, "starting");
  const auto metadata = session->metadata("digits");
  ASSERT_TRUE(metadata) << refusal(metadata);
  EXPECT_EQ(metadata->inputs.at(0).shape.text(), "[-1,1,28,28]");
  const auto outputs = session->infer("digits", picture());
  ASSERT_TRUE(outputs) << refusal(outputs);
  const auto classes = top_classes(outputs->at(0), labels_of(*metadata), 2);
  ASSERT_TRUE(classes) << refusal(classes);
  EXPECT_EQ(classes->at(0).label, "nine");
  EXPECT_NEAR(classes->at(0).probability, 0.91, 1e-6);
  EXPECT_EQ(server.connections(), 1) << "one connection serves all";
}

TEST(Session, several_inputs_and_odd_sizes_come_back_as_they_went) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  const std::vector<Tensor> inputs = {
      {"empty", ElementType::kFloat32, {0, 3}, {}},
      {"scalar", ElementType::kInt64, {}, {1, 2, 3, 4, 5, 6, 7, 8}},
      {"text", ElementType::kString, {2}, {2, 0, 0, 0, 'h', 'i', 0, 0, 0, 0}},
      {"half", ElementType::kFloat16, {3}, {1, 2, 3, 4, 5, 6}},
  };
  const auto outputs = session->infer("echo", inputs);
  ASSERT_TRUE(outputs) << refusal(outputs);
  ASSERT_EQ(outputs->size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(outputs->at(i).name, inputs[i].name);
    EXPECT_EQ(outputs->at(i).data, inputs[i].data);
    EXPECT_EQ(outputs->at(i).shape, inputs[i].shape);
  }
}

TEST(Session, a_development_root_is_refused_before_anything_is_asked) {
  TestServer server;
  const auto session = connect(server, verify::Policy{});
  EXPECT_TRUE(contains(refusal(session), "denied: refused: root.kind")) << refusal(session);
  EXPECT_TRUE(contains(refusal(session), "--allow-software-root"));
  EXPECT_TRUE(server.requests().empty());
}

TEST(Session, a_certificate_without_evidence_is_refused) {
  TestServer server;
  server.show(server.signer.tls, {}, 0);
  EXPECT_TRUE(contains(refusal(connect(server)), "denied: the server's certificate carries no"));
  EXPECT_TRUE(server.requests().empty());
}

TEST(Session, a_certificate_with_two_evidences_is_refused) {
  TestServer server;
  server.show(server.signer.tls, server.signer.evidence(), 2);
  EXPECT_TRUE(contains(refusal(connect(server)), "twice"));
  EXPECT_TRUE(server.requests().empty());
}

TEST(Session, evidence_for_another_key_in_the_certificate_is_refused) {
  TestServer server;
  const Signer thief;
  server.show(thief.tls, server.signer.evidence());
  EXPECT_TRUE(contains(refusal(connect(server)), "denied: refused: claims.tls_key"));
  EXPECT_TRUE(server.requests().empty());
}

TEST(Session, fresh_evidence_relayed_from_another_server_is_refused) {
  TestServer honest;
  TestServer relay;
  relay.hook([&](const testing::HttpRequest& request) -> std::optional<Reply> {
    return Reply{testing::http(200, text_of(honest.fresh_evidence(request.proof(), "")))};
  });
  EXPECT_TRUE(contains(refusal(connect(relay)), "denied: refused: claims.tls_key"));
}

// Who has stolen the key of an honest gateway and sits between it and a client shows its
// certificate and passes the client's question on; the proof is of that gateway, and of the wrong
// connection.
TEST(Session, a_proof_relayed_through_an_honest_enclave_is_refused_though_the_tls_key_was_stolen) {
  TestServer honest;
  TestServer relay;
  relay.show(honest.signer.tls, honest.signer.evidence());
  std::atomic<int> relayed = 0;
  relay.hook([&](const testing::HttpRequest& request) -> std::optional<Reply> {
    auto beyond = Server::open(*parse_url(honest.url()), quick());
    Request question;
    question.target = request.target;
    const auto answer = beyond->ask(question);
    EXPECT_TRUE(answer) << refusal(answer);
    ++relayed;
    return Reply{testing::http(200, text_of(answer->body))};
  });
  EXPECT_TRUE(contains(refusal(connect(relay)), "denied: refused: token.nonce of gateway"));
  EXPECT_EQ(relayed, 1);
  EXPECT_TRUE(connect(honest)) << "the same gateway without anybody in between";
}

TEST(Session, keys_are_agreed_on_with_x25519mlkem768_and_nothing_else_unless_the_policy_says_so) {
  TestServer server;
  const Deadline deadline(system_clock(), std::chrono::seconds(5));
  const auto channel = Channel::open(*parse_url(server.url()), deadline);
  ASSERT_TRUE(channel) << refusal(channel);
  EXPECT_EQ(channel->group(), "X25519MLKEM768");
  server.agree_with("X25519:P-256");
  const std::string why = refusal(connect(server));
  EXPECT_TRUE(contains(why, "denied: 127.0.0.1")) << why;
  EXPECT_TRUE(contains(why, "insecure_allow_classical_key_exchange")) << why;
  EXPECT_TRUE(server.requests().empty());
  verify::Policy lenient = development();
  lenient.insecure_allow_classical_key_exchange = true;
  auto session = connect(server, lenient);
  ASSERT_TRUE(session) << refusal(session);
  EXPECT_TRUE(std::ranges::any_of(session->verdict().weakened, [](const std::string& weak) {
    return weak.starts_with("insecure_classical_key_exchange");
  }));
  server.agree_with("X25519:X25519MLKEM768");
  const auto better =
      Channel::open(*parse_url(server.url()), deadline, KeyExchange::kHybridOrClassical);
  ASSERT_TRUE(better) << refusal(better);
  EXPECT_EQ(better->group(), "X25519MLKEM768") << "where both know it, whatever else they take";
}

// A calendar that a test moves.
class MovedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return system_clock().now(); }
  [[nodiscard]] int64_t unix_seconds() const override { return verify::testing::kNow + passed; }
  int64_t passed = 0;
};

TEST(Session, evidence_is_refused_before_and_after_its_time_also_when_it_was_good_before) {
  TestServer server;
  MovedClock clock;
  verify::Cache cache;
  Options options = quick();
  options.clock = &clock;
  options.cache = &cache;
  EXPECT_EQ(refusal(connect(server, development(), options)), "no refusal");
  clock.passed = verify::Policy::kMaxAgeSeconds + 1;
  EXPECT_TRUE(contains(refusal(connect(server, development(), options)), "refused: token.issued"));
  clock.passed = -verify::kClockSkewSeconds - 1;
  EXPECT_TRUE(contains(refusal(connect(server, development(), options)), "in the future"));
  clock.passed = 0;
  EXPECT_EQ(refusal(connect(server, development(), options)), "no refusal");
}

TEST(Session, with_a_cache_a_proof_is_asked_for_once_and_again_when_something_has_changed) {
  TestServer server;
  verify::Cache cache;
  Options options = quick();
  options.cache = &cache;
  const auto asked = [&] {
    const size_t before = server.requests().size();
    auto session = connect(server, development(), options);
    EXPECT_TRUE(session) << refusal(session);
    EXPECT_TRUE(session->infer("digits", picture()));
    std::string all;
    for (const std::string& request : server.requests() | std::views::drop(before)) {
      if (contains(request, "nonce=")) {
        all += contains(request, "model=") ? "P" : "p";  // proofs of model and gateway
      } else if (contains(request, "evidence")) {
        all += "r";
      }
    }
    return all;
  };
  EXPECT_EQ(asked(), "prP");
  EXPECT_EQ(asked(), "r") << "both are known";
  EXPECT_EQ(asked(), "r");
  server.bend([](Signer&) {});  // the model was loaded again
  EXPECT_EQ(asked(), "rP");
  server.bend([](Signer& signer) {
    signer.tokens.resize(1);
    signer.tokens[0].epoch = 2;  // the gateway was started again
    signer.set_nonce({});
    signer.sign();
  });
  server.show(server.signer.tls, server.signer.evidence());
  EXPECT_EQ(asked(), "prP");
  EXPECT_EQ(asked(), "r");
}

TEST(Session, a_cache_that_knows_a_server_opens_no_door_to_another) {
  TestServer server;
  verify::Cache cache;
  Options options = quick();
  options.cache = &cache;
  ASSERT_TRUE(connect(server, development(), options));
  const Signer thief;
  server.show(thief.tls, server.signer.evidence());
  EXPECT_TRUE(contains(refusal(connect(server, development(), options)), "claims.tls_key"));
  TestServer other;
  ASSERT_TRUE(connect(other, development(), options));
  EXPECT_EQ(other.requests().size(), 1u) << "another server proves itself";
  server.show(server.signer.tls, server.signer.evidence());
  EXPECT_TRUE(contains(refusal(connect(server, verify::Policy{}, options)), "root.kind"))
      << "another policy";
}

TEST(Session, recorded_evidence_is_refused_for_its_nonce) {
  TestServer server;
  const std::string recorded(text_of(server.fresh_evidence(Nonce{1, 2, 3}, "")));
  server.hook([&](const testing::HttpRequest&) { return Reply{testing::http(200, recorded)}; });
  EXPECT_TRUE(contains(refusal(connect(server)), "denied: refused: token.nonce"));
}

TEST(Session, every_look_uses_a_nonce_of_its_own) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  ASSERT_TRUE(session->verdict("digits"));
  ASSERT_TRUE(session->verdict("echo"));
  const auto requests = server.requests();
  const std::set<std::string> different(requests.begin(), requests.end());
  EXPECT_EQ(different.size(), 3u);
}

TEST(Session, a_models_enclaves_are_attested_once_before_its_first_inference) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  ASSERT_TRUE(session->infer("digits", picture()));
  ASSERT_TRUE(session->infer("digits", picture()));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_TRUE(contains(requests[1], "&model=digits"));
  EXPECT_EQ(requests[2], "POST /v2/models/digits/infer");
  EXPECT_EQ(requests[3], "POST /v2/models/digits/infer");
}

TEST(Session, a_model_that_the_policy_refuses_never_sees_an_input) {
  TestServer server;
  verify::Policy policy = development();
  policy.models["digits"].model = {verify::testing::digest_of("other weights")};
  auto session = connect(server, policy);
  ASSERT_TRUE(session) << refusal(session);
  const std::string why = refusal(session->infer("digits", picture()));
  EXPECT_TRUE(contains(why, "denied: refused: enclave.model of model digits: expected")) << why;
  EXPECT_TRUE(contains(refusal(session->infer("echo", picture())), "model.name of model echo"));
  for (const std::string& request : server.requests()) EXPECT_FALSE(contains(request, "infer"));
}

TEST(Session, a_token_of_another_model_or_none_is_refused) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  std::string other;
  server.hook([&](const testing::HttpRequest& request) -> std::optional<Reply> {
    return Reply{testing::http(200, text_of(server.fresh_evidence(request.proof(), other)))};
  });
  EXPECT_TRUE(contains(refusal(session->infer("digits", picture())), "refused: model.name"));
  other = "faces";
  EXPECT_TRUE(contains(refusal(session->infer("digits", picture())), "refused: model.name"));
  for (const std::string& request : server.requests()) EXPECT_FALSE(contains(request, "infer"));
}

TEST(Session, a_gateway_of_an_older_epoch_than_its_certificate_is_refused) {
  TestServer server;
  server.bend([](Signer& signer) { signer.tokens[0].epoch = 0; });
  EXPECT_TRUE(contains(refusal(connect(server)), "refused: token.epoch"));
}

TEST(Session, stale_evidence_is_refused) {
  TestServer server(verify::testing::kNow - verify::Policy::kMaxAgeSeconds - 1);
  EXPECT_TRUE(contains(refusal(connect(server)), "refused: token.issued of gateway"));
}

TEST(Session, a_pinned_policy_takes_the_same_server_and_refuses_another) {
  TestServer server;
  const auto verdict = attest(server.url(), development(), quick(), "digits");
  ASSERT_TRUE(verdict) << refusal(verdict);
  ASSERT_TRUE(verdict->passed);
  const verify::Policy pinned = verify::pinned_policy(*verdict);
  auto session = connect(server, pinned);
  ASSERT_TRUE(session) << refusal(session);
  EXPECT_TRUE(session->infer("digits", picture()));
  TestServer other;
  EXPECT_TRUE(contains(refusal(connect(other, pinned)), "refused: root.key"));
}

TEST(Session, the_servers_own_sentence_arrives_with_its_code) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  EXPECT_EQ(refusal(session->metadata("missing")),
            "not found: the server answered: there is no model named 'missing'");
}

TEST(Session, inputs_that_do_not_fit_their_shape_are_refused_before_they_are_sent) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  std::vector<Tensor> inputs = picture();
  inputs[0].data.pop_back();
  EXPECT_TRUE(contains(refusal(session->infer("digits", inputs)), "needs 3136 bytes"));
  inputs = picture();
  inputs[0].shape[0] = -1;
  EXPECT_TRUE(contains(refusal(session->infer("digits", inputs)), "negative extent"));
  EXPECT_EQ(server.requests().size(), 1u) << "only the connection's own evidence";
}

TEST(Session, names_are_encoded_so_that_they_cannot_reach_another_path) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  ASSERT_TRUE(session->metadata("../a b?c#d%\r\n"));
  EXPECT_EQ(server.requests().back(), "GET /v2/models/..%2Fa%20b%3Fc%23d%25%0D%0A");
}

}  // namespace
}  // namespace casemate::client
