// SPDX-License-Identifier: Apache-2.0
// Templates that wait for the keys of their models, and whoever asks the monitor about them: the
// operator, who may be anybody's enemy.
#include <gtest/gtest.h>

#include <thread>

#include "outside/launch/key_questions.h"
#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using operating::KeyAnswer;
using operating::KeyCommand;
using operating::KeyQuestion;
using operating::State;

constexpr uint32_t kLoadMs = 1000;

class LockedModel : public testing::Test {
 protected:
  void serve(const std::string& behaviour, bool standby = false) {
    system_.emplace(
        std::vector<ModelSpec>{{.name = "model", .partition = "p1", .behaviour = behaviour}},
        [=](SystemDescription& d) {
          d.enclaves[1].flags |= EnclaveDescription::kSealed;
          d.partitions[1].standby = standby ? 1 : 0;
          d.partitions[1].load_ms = kLoadMs;
        });
  }
  Result<std::unique_ptr<KeyAnswer>> ask(KeyCommand command, uint64_t ticket,
                                         const KeyQuestion& with = {}) {
    KeyQuestion question = with;
    question.command = static_cast<uint32_t>(command);
    question.ticket = ticket;
    return launch::ask_for_keys(system_->socket(), question);
  }
  // The ticket of who waits; 0 when nobody does for long.
  uint64_t waiting() {
    uint64_t ticket = 0;
    EXPECT_TRUE(eventually([&] {
      const auto next = ask(KeyCommand::kNext, 0);
      if (next) ticket = (*next)->ticket;
      return next.has_value();
    }));
    return ticket;
  }
  static KeyQuestion answering(std::string_view answer) {
    KeyQuestion question;
    std::ranges::copy(bytes_of(answer), question.answer.begin());
    return question;
  }
  [[nodiscard]] State state() { return static_cast<State>(system_->enclave("model").state); }

  std::optional<SmallSystem> system_;
};

TEST_F(LockedModel, is_vouched_for_as_what_it_is_and_as_no_tls_server) {
  serve("locked");
  const uint64_t ticket = waiting();
  KeyQuestion question;
  question.nonce.fill(7);
  const auto vouched = ask(KeyCommand::kVouch, ticket, question);
  ASSERT_TRUE(vouched) << vouched.error().text;
  const KeyAnswer& answer = **vouched;
  EXPECT_EQ(answer.name.view(), "model");
  EXPECT_TRUE(text_of(answer.request).starts_with(fixture::kAsked));
  const Sha256Digest key = sha256(bytes_of(fixture::kAskedWith));
  EXPECT_EQ(answer.token.kind, static_cast<uint32_t>(EnclaveKind::kModel));
  EXPECT_EQ(answer.token.name.view(), "model");
  EXPECT_EQ(answer.token.key_hash, sha384(bytes_of(fixture::kAskedWith)));
  EXPECT_EQ(answer.token.model_measurement, system_->enclave("model").model_measurement);
  EXPECT_EQ(answer.token.nonce, proof_nonce(question.nonce, key)) << "never what was asked for";
  const std::string_view claims = text_of(Bytes(answer.claims).first(answer.claims_bytes));
  EXPECT_TRUE(claims.contains(claim_of(KeyUse::kHpke)) && claims.contains(text_of(key)));
  EXPECT_FALSE(claims.contains(claim_of(KeyUse::kTls)));
  EXPECT_GT(answer.quote_bytes, 0u);
}

TEST_F(LockedModel, waits_as_long_as_need_be_and_has_all_its_time_to_load_afterwards) {
  serve("locked");
  const uint64_t ticket = waiting();
  std::this_thread::sleep_for(std::chrono::milliseconds(2 * kLoadMs));
  EXPECT_EQ(state(), State::kStarting);
  EXPECT_EQ(waiting(), ticket) << "it was not started anew";
  ASSERT_TRUE(ask(KeyCommand::kUnlock, ticket, answering("run")));
  EXPECT_TRUE(system_->answers("model"));
}

TEST_F(LockedModel, is_asked_about_by_its_own_ticket_and_as_long_as_it_waits) {
  serve("locked");
  const uint64_t ticket = waiting();
  for (const auto command : {KeyCommand::kVouch, KeyCommand::kUnlock}) {
    for (const uint64_t other : {uint64_t{0}, ticket + 1, ~uint64_t{0}})
      EXPECT_EQ(ask(command, other).error().code, Code::kNotFound) << other;
  }
  EXPECT_EQ(ask(KeyCommand::kNext, ticket).error().code, Code::kNotFound);
  KeyQuestion endless = answering("run");
  endless.reason.characters.fill('x');
  EXPECT_EQ(ask(KeyCommand::kUnlock, ticket, endless).error().code, Code::kInvalid);
  ASSERT_TRUE(ask(KeyCommand::kUnlock, ticket, answering("run")));
  EXPECT_EQ(ask(KeyCommand::kUnlock, ticket, answering("run")).error().code, Code::kNotFound);
  EXPECT_TRUE(system_->answers("model"));
  EXPECT_EQ(ask(KeyCommand::kVouch, ticket).error().code, Code::kNotFound);
}

TEST_F(LockedModel, says_nothing_to_the_operator_once_it_has_its_key) {
  serve("locked twice");
  const uint64_t ticket = waiting();
  ASSERT_TRUE(ask(KeyCommand::kUnlock, ticket, answering("run")));
  EXPECT_TRUE(system_->answers("model"));
  EXPECT_EQ(ask(KeyCommand::kNext, 0).error().code, Code::kNotFound);
}

TEST_F(LockedModel, is_refused_with_the_reason_that_was_given_or_for_an_answer_that_is_none) {
  serve("locked");
  KeyQuestion no;
  no.code = static_cast<uint32_t>(Code::kDenied);
  no.reason = Text<256>::from("its owner does not want it");
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), no));
  EXPECT_TRUE(eventually([&] { return state() == State::kRefused; }));
  EXPECT_EQ(system_->enclave("model").reason.view(), "its owner does not want it");
  serve("locked");
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), answering("nonsense")));
  EXPECT_TRUE(eventually([&] { return state() == State::kRefused; }));
}

TEST_F(LockedModel, that_runs_without_a_key_is_given_none) {
  serve("locked and runs");
  EXPECT_TRUE(system_->answers("model"));
  EXPECT_EQ(ask(KeyCommand::kNext, 0).error().code, Code::kNotFound);
}

TEST_F(LockedModel, asks_anew_when_it_was_refused_and_its_partition_is_restarted) {
  serve("locked");
  KeyQuestion no;
  no.code = static_cast<uint32_t>(Code::kDenied);
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), no));
  ASSERT_TRUE(eventually([&] { return state() == State::kRefused; }));
  ASSERT_TRUE(system_->kill("p1"));
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), answering("run")));
  EXPECT_TRUE(system_->answers("model"));
}

TEST_F(LockedModel, comes_back_from_its_standby_when_nobody_has_a_key_for_it_any_more) {
  serve("locked", true);
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), answering("run")));
  EXPECT_TRUE(system_->answers("model"));
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), answering("run"))) << "of the standby";
  ASSERT_TRUE(eventually([&] { return system_->partition("p1").standby == 2; }));
  ASSERT_TRUE(system_->kill("p1"));
  EXPECT_TRUE(eventually([&] { return system_->partition("p1").epoch == 2; }));
  EXPECT_TRUE(system_->answers("model"));
}

TEST_F(LockedModel, whose_standby_is_refused_goes_on_as_it_is) {
  serve("locked", true);
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), answering("run")));
  EXPECT_TRUE(system_->answers("model"));
  KeyQuestion no;
  no.code = static_cast<uint32_t>(Code::kDenied);
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), no));
  EXPECT_TRUE(eventually([&] { return system_->partition("p1").standby == 0; }));
  EXPECT_TRUE(system_->answers("model"));
  EXPECT_EQ(system_->partition("p1").epoch, 1u);
}

TEST_F(LockedModel, is_forgotten_when_it_is_killed_and_its_successor_asks_anew) {
  serve("locked");
  const uint64_t ticket = waiting();
  ASSERT_TRUE(system_->kill("p1"));
  EXPECT_TRUE(eventually([&] { return waiting() > ticket; }));
  EXPECT_EQ(ask(KeyCommand::kUnlock, ticket, answering("run")).error().code, Code::kNotFound);
  ASSERT_TRUE(ask(KeyCommand::kUnlock, waiting(), answering("run")));
  EXPECT_TRUE(system_->answers("model"));
}

}  // namespace
}  // namespace casemate::tests
