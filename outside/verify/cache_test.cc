// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cache.h"

#include <gtest/gtest.h>

#include "outside/verify/codes.h"
#include "outside/verify/testing/signer.h"
#include "outside/verify/verify.h"

namespace casemate::verify {
namespace {

using testing::kNow;
using testing::Signer;

// A server, and a client that looks at it again and again.
struct Acquaintance {
  Acquaintance() {
    signer.add_model("digits");
    signer.sign();
    policy.allow_software_root = true;
  }
  std::string look(int64_t now = kNow) {
    const Verdict verdict = verify_evidence(
        signer.evidence(), {.tls_key = signer.tls.public_der(), .now_unix = now}, policy, &cache);
    const Check* failure = verdict.first_failure();
    return failure == nullptr ? "passed" : std::string(failure->code);
  }
  Signer signer;
  Policy policy;
  Cache cache;
};

TEST(Cache, does_a_check_that_succeeded_no_second_time_and_one_that_failed_again) {
  Cache cache;
  int runs = 0;
  const auto check = [&](std::string_view what, std::string_view bytes, Code code) {
    return cache
        .once(what, bytes_of(bytes), {},
              [&]() -> Status {
                ++runs;
                if (code != Code::kOk) return Error{code, "no"};
                return {};
              })
        .has_value();
  };
  EXPECT_FALSE(check("token", "a", Code::kInvalid));
  EXPECT_TRUE(check("token", "a", Code::kOk));
  EXPECT_TRUE(check("token", "a", Code::kInvalid)) << "it was good once";
  EXPECT_EQ(runs, 2);
  EXPECT_FALSE(check("token", "b", Code::kInvalid));
  EXPECT_FALSE(check("quote", "a", Code::kInvalid)) << "of another kind";
  EXPECT_EQ(runs, 4);
}

TEST(Cache, tells_fields_apart_that_have_the_same_bytes_together) {
  Cache cache;
  const auto good = [] { return Status(); };
  const auto bad = []() -> Status { return Error{Code::kInvalid, "no"}; };
  EXPECT_TRUE(cache.once("x", bytes_of(std::string_view("ab")), {}, good));
  EXPECT_FALSE(
      cache.once("x", bytes_of(std::string_view("a")), bytes_of(std::string_view("b")), bad));
  EXPECT_FALSE(cache.once("xa", bytes_of(std::string_view("b")), {}, bad));
}

TEST(Cache, forgets_the_oldest_and_never_grows_beyond_its_entries) {
  Cache cache;
  const auto name = [](uint32_t i) {
    Sha256Digest digest{};
    std::ranges::copy(bytes_of(i), digest.begin());
    return digest;
  };
  for (uint32_t i = 0; i < 3 * Cache::kEntries; ++i) cache.remember_proof(name(i), kNow);
  size_t known = 0;
  for (uint32_t i = 0; i < 3 * Cache::kEntries; ++i) known += cache.proved(name(i), kNow) ? 1 : 0;
  EXPECT_LE(known, Cache::kEntries);
  EXPECT_TRUE(cache.proved(name(3 * Cache::kEntries - 1), kNow));
  EXPECT_FALSE(cache.proved(name(0), kNow));
}

TEST(Cache, takes_a_proof_for_one_for_a_day_and_not_before_it_was_given) {
  Cache cache;
  const Sha256Digest evidence = sha256(bytes_of(kNow));
  EXPECT_FALSE(cache.proved(evidence, kNow));
  cache.remember_proof(evidence, kNow);
  EXPECT_TRUE(cache.proved(evidence, kNow + Cache::kProofSeconds - 1));
  EXPECT_FALSE(cache.proved(evidence, kNow + Cache::kProofSeconds));
  EXPECT_FALSE(cache.proved(evidence, kNow - 1));
  cache.remember_proof(evidence, kNow + Cache::kProofSeconds);
  EXPECT_TRUE(cache.proved(evidence, kNow + Cache::kProofSeconds)) << "it was given again";
}

TEST(Cache, changes_no_verdict_on_evidence_that_is_bent_behind_its_back) {
  Acquaintance we;
  ASSERT_EQ(we.look(), "passed");
  EXPECT_EQ(we.look(), "passed");
  const Signer good = [&] {
    Signer copy;
    copy.quote = we.signer.quote;
    copy.tokens = we.signer.tokens;
    return copy;
  }();
  we.signer.quote.security_version = 9;
  EXPECT_EQ(we.look(), code::kQuoteSignature);
  we.signer.quote = good.quote;
  we.signer.tokens[0].program_measurement[0] ^= 1;
  EXPECT_EQ(we.look(), code::kTokenSignature);
  we.signer.tokens = good.tokens;
  we.signer.tokens[1].signature[5] ^= 1;
  EXPECT_EQ(we.look(), code::kTokenSignature);
  we.signer.tokens = good.tokens;
  EXPECT_EQ(we.look(), "passed");
}

TEST(Cache, judges_age_and_policy_and_key_of_known_evidence_anew) {
  Acquaintance we;
  ASSERT_EQ(we.look(), "passed");
  EXPECT_EQ(we.look(kNow + Policy::kMaxAgeSeconds + 1), code::kTokenIssued) << "expired";
  EXPECT_EQ(we.look(kNow - kClockSkewSeconds - 1), code::kTokenIssued) << "not yet valid";
  we.policy.models["digits"].model = {testing::digest_of("other weights")};
  EXPECT_EQ(we.look(), code::kModel);
  we.policy = Policy{};
  EXPECT_EQ(we.look(), code::kRootKind);
  const Signer thief;
  const Verdict verdict =
      verify_evidence(we.signer.evidence(), {.tls_key = thief.tls.public_der(), .now_unix = kNow},
                      we.policy, &we.cache);
  bool refused = false;
  for (const Check& check : verdict.checks)
    refused = refused || (check.code == code::kTlsKey && check.outcome == Outcome::kFailed);
  EXPECT_TRUE(refused) << "known evidence does not vouch for another key";
}

}  // namespace
}  // namespace casemate::verify
