// SPDX-License-Identifier: Apache-2.0
// The list of those who stand behind a model: signed by an honest monitor, and then bent.
#include "outside/verify/line.h"

#include <gtest/gtest.h>

#include "outside/verify/codes.h"
#include "outside/verify/pins.h"
#include "outside/verify/testing/signer.h"
#include "outside/verify/verify.h"

namespace casemate::verify {
namespace {

using testing::kNow;
using testing::Signer;

Policy lenient() {
  Policy policy;
  policy.allow_software_root = true;
  return policy;
}

// A gateway, a leader of two workers, and one more model. The first worker calls a device.
Signer led() {
  Signer signer;
  signer.add_model("bert");
  signer.add_model("bert first half");
  signer.add_model("driver").kind = static_cast<uint32_t>(EnclaveKind::kDevice);
  signer.add_model("bert second half");
  signer.add_model("digits");
  PeersMeasurement workers;
  signer.lead(2, 1);
  signer.tokens[1].peers_measurement = workers.add(signer.tokens[2]).add(signer.tokens[4]).finish();
  signer.tokens[1].peer_count = 2;
  return signer;
}

Verdict judge(const Signer& signer, const Policy& policy = lenient()) {
  return verify_evidence(signer.evidence(), {.tls_key = signer.tls.public_der(), .now_unix = kNow},
                         policy);
}

std::string outcome(const Verdict& verdict) {
  const Check* failure = verdict.first_failure();
  return failure == nullptr ? "passed" : std::string(failure->code);
}

// What becomes of the list when whoever sends it bends it; he cannot sign anything.
std::string after(auto bend) {
  Signer signer = led();
  signer.sign();
  bend(signer.tokens);
  return outcome(judge(signer));
}

TEST(Line, a_leader_and_all_its_workers_in_their_order_are_accepted) {
  Signer signer = led();
  signer.sign();
  EXPECT_EQ(outcome(judge(signer)), "passed");
  const auto callers = callers_of(signer.tokens);
  ASSERT_TRUE(callers) << callers.error().text;
  EXPECT_EQ(*callers, (std::vector<size_t>{0, 0, 1, 2, 1, 0}));
}

TEST(Line, workers_swapped_or_reordered_are_refused) {
  EXPECT_EQ(after([](auto& t) { std::swap(t[2], t[4]); }), code::kTokenLine);
  EXPECT_EQ(after([](auto& t) { std::swap(t[2], t[3]); }), code::kTokenLine);
  EXPECT_EQ(after([](auto& t) { std::rotate(t.begin() + 2, t.begin() + 4, t.begin() + 5); }),
            code::kTokenLine)
      << "the same enclaves in another order";
  EXPECT_EQ(after([](auto& t) { std::swap(t[4], t[5]); }), code::kTokenLine)
      << "another model's enclave in a worker's place";
}

TEST(Line, a_worker_left_out_or_put_in_is_refused) {
  EXPECT_EQ(after([](auto& t) { t.erase(t.begin() + 4); }), code::kTokenLine);
  EXPECT_EQ(after([](auto& t) { t.erase(t.begin() + 2, t.begin() + 4); }), code::kTokenLine);
  EXPECT_EQ(after([](auto& t) { t.erase(t.begin() + 3); }), code::kTokenLine);
  EXPECT_EQ(after([](auto& t) { t.erase(t.begin() + 2, t.end()); }), code::kTokenLine);
}

TEST(Line, workers_without_their_leader_are_not_the_model_that_was_asked_for) {
  Signer signer = led();
  signer.sign();
  signer.tokens.erase(signer.tokens.begin() + 1);
  const Verdict verdict = verify_evidence(
      signer.evidence(), {.tls_key = signer.tls.public_der(), .model = "bert", .now_unix = kNow},
      lenient());
  EXPECT_EQ(outcome(verdict), code::kModelName);
}

TEST(Line, a_worker_that_another_monitor_vouches_for_is_refused) {
  Signer other = led();
  other.sign();
  EXPECT_EQ(after([&](auto& t) { t[4] = other.tokens[4]; }), code::kTokenSignature);
}

TEST(Line, a_worker_with_another_measurement_than_its_leader_calls_is_refused) {
  for (const auto field : {&EnclaveToken::program_measurement, &EnclaveToken::manifest_measurement,
                           &EnclaveToken::model_measurement, &EnclaveToken::device_measurement}) {
    Signer signer = led();
    (signer.tokens[4].*field)[0] ^= 1;
    signer.sign();
    EXPECT_EQ(outcome(judge(signer)), code::kTokenLine);
  }
}

TEST(Line, counts_that_lie_are_refused_though_signed) {
  for (const uint32_t count : {0u, 1u, 3u, 4u, UINT32_MAX}) {
    Signer signer = led();
    signer.tokens[1].peer_count = count;
    signer.sign();
    EXPECT_EQ(outcome(judge(signer)), code::kTokenLine) << count;
  }
}

TEST(Line, pins_of_a_leader_cover_its_workers_and_not_whom_they_call) {
  Signer signer = led();
  signer.sign();
  Policy pinned = pinned_policy(judge(signer));
  EXPECT_FALSE(pinned.models.contains("bert first half"));
  const Verdict verdict = judge(signer, pinned);
  EXPECT_EQ(outcome(verdict), "passed");
  for (const Check& check : verdict.checks) {
    const bool open = check.subject == "model bert first half" && check.code == code::kPeers;
    EXPECT_EQ(check.outcome == Outcome::kAllowed, check.code == code::kRootKind || open)
        << check.code << " of " << check.subject;
  }
  pinned.models.erase("driver");
  EXPECT_EQ(outcome(judge(signer, pinned)), code::kModelName) << "nobody named whom a worker calls";
}

TEST(Line, pins_refuse_another_worker_and_another_enclave_behind_a_worker) {
  Signer signer = led();
  signer.sign();
  const Policy pinned = pinned_policy(judge(signer));
  const auto with_another = [&](size_t place) {
    Signer other = led();
    std::swap(other.attestation, signer.attestation);
    other.chain = signer.chain;
    other.tokens[place].program_measurement = testing::digest_of("patched");
    PeersMeasurement workers;
    other.tokens[1].peers_measurement = workers.add(other.tokens[2]).add(other.tokens[4]).finish();
    other.lead(2, 1);
    other.sign();
    const std::string found = outcome(judge(other, pinned));
    std::swap(other.attestation, signer.attestation);
    return found;
  };
  EXPECT_EQ(with_another(4), code::kPeers) << "another worker is another leader";
  EXPECT_EQ(with_another(3), code::kProgram);
}

}  // namespace
}  // namespace casemate::verify
