// SPDX-License-Identifier: Apache-2.0
// A whole system whose evidence is rooted in a TPM, and clients that know nothing of it but what
// they have learned.
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "outside/client/attest.h"
#include "outside/client/session.h"
#include "outside/verify/codes.h"
#include "outside/verify/pins.h"
#include "tests/system/served_system.h"
#include "tests/tpm/software_tpm.h"

namespace casemate::tests {
namespace {

class TpmRooted : public testing::Test {
 protected:
  void SetUp() override {
    auto tpm = SoftwareTpm::make(true);
    if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
    ASSERT_TRUE(tpm) << tpm.error().text;
    tpm_.emplace(*std::move(tpm));
    ::setenv("CASEMATE_TPM", tpm_->socket().c_str(), 1);
    system_.emplace(source_folder() + "/models", "", std::vector<std::string>{"--root", "tpm"});
    ::unsetenv("CASEMATE_TPM");
    ASSERT_FALSE(system_->url().empty()) << system_->printed();
  }
  [[nodiscard]] verify::Verdict judged(const verify::Policy& policy) const {
    auto verdict = client::attest(system_->url(), policy, {}, "digits", true);
    EXPECT_TRUE(verdict) << verdict.error().text;
    return verdict ? *std::move(verdict) : verify::Verdict();
  }
  [[nodiscard]] std::string failure(const verify::Policy& policy) const {
    const verify::Verdict verdict = judged(policy);
    const verify::Check* check = verdict.first_failure();
    EXPECT_EQ(verdict.passed, check == nullptr);
    return check == nullptr ? "" : std::string(check->code);
  }
  [[nodiscard]] verify::Policy learned() const {
    const verify::Verdict verdict = judged({});
    EXPECT_TRUE(verify::holds(verdict)) << verify::text_of(verdict);
    return verify::holds(verdict) ? verify::pinned_policy(verdict) : verify::Policy();
  }

  std::optional<SoftwareTpm> tpm_;
  std::optional<ServedSystem> system_;
};

TEST_F(TpmRooted, a_system_serves_who_has_learned_it_and_is_no_development_root) {
  EXPECT_EQ(failure({}), verify::code::kTpmKnown) << "a key that nobody vouches for";
  const verify::Policy policy = learned();
  EXPECT_FALSE(policy.allow_software_root);
  const verify::Verdict verdict = judged(policy);
  EXPECT_TRUE(verdict.passed) << verify::text_of(verdict);
  EXPECT_EQ(verdict.root, "tpm");
  EXPECT_FALSE(verdict.development_root);
  EXPECT_TRUE(verdict.weakened.empty()) << verdict.weakened.front();
  auto session = client::Session::connect(system_->url(), policy);
  ASSERT_TRUE(session) << session.error().text;
  const auto model = session->metadata("digits");
  EXPECT_TRUE(model) << model.error().text;
}

TEST_F(TpmRooted, a_system_is_refused_where_what_it_booted_is_another_or_is_not_named) {
  verify::Policy policy = learned();
  ASSERT_FALSE(policy.tpm.pcrs[7].empty());
  policy.tpm.pcrs[7][0][0] ^= 1;
  EXPECT_EQ(failure(policy), verify::code::kTpmPcr);
  policy = learned();
  policy.tpm.pcrs.erase(4);
  ASSERT_FALSE(policy.tpm.pcrs.empty());
  EXPECT_EQ(failure(policy), verify::code::kStart) << "the same firmware starts any boot loader";
  policy.tpm.pcrs.clear();
  EXPECT_EQ(failure(policy), verify::code::kStart) << "any kernel can extend PCR 23";
  policy.insecure_allow_any_start = true;
  EXPECT_EQ(failure(policy), "");
}

TEST_F(TpmRooted, a_system_is_refused_by_who_knows_another_key_or_another_platform) {
  verify::Policy policy = learned();
  policy.platform[0][0] ^= 1;
  EXPECT_EQ(failure(policy), verify::code::kPlatform);
  policy = learned();
  policy.tpm.keys[0][0] ^= 1;
  EXPECT_EQ(failure(policy), verify::code::kTpmKnown);
}

}  // namespace
}  // namespace casemate::tests
