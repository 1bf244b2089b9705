// SPDX-License-Identifier: Apache-2.0
// A TPM's key, certified by an authority that believes the TPM's maker.
#include <filesystem>
#include <fstream>

#include "outside/certify/endorsement.h"
#include "outside/certify/tpm.h"
#include "tests/tpm/quotes.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using verify::code::kTpmKnown;
using verify::code::kTpmRevoked;
using verify::code::kTpmValid;

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class TpmCertificates : public testing::Test {
 protected:
  void SetUp() override {
    auto made = SoftwareTpm::make(true);
    if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
    ASSERT_TRUE(made) << made.error().text;
    tpm_.emplace(std::move(*made));
    authority_.emplace(make_authority("owner"));
    for (const auto& path : {tpm_->maker(), tpm_->maker_root()})
      ASSERT_TRUE(terms_.makers.add(path, bytes_of(std::string_view(content(path)))));
    terms_.now_unix = system_clock().unix_seconds();
  }
  certify::Authority make_authority(const std::string& name) const {
    const std::string stem = tpm_->folder() + "/" + name;
    const auto found = certify::Authority::found(name, stem + ".key", stem + ".pem",
                                                 system_clock().unix_seconds());
    EXPECT_TRUE(found) << found.error().text;
    auto authority = certify::Authority::open(stem + ".key", stem + ".pem");
    EXPECT_TRUE(authority) << authority.error().text;
    return std::move(*authority);
  }
  static Result<std::vector<uint8_t>> request(const SoftwareTpm& tpm) {
    auto device = TRY(TpmDevice::open(tpm.socket()));
    return certify::make_request(device);
  }
  static Result<std::vector<uint8_t>> certificate(const SoftwareTpm& tpm, Bytes grant) {
    const auto parts = TRY(certify::read_grant(grant));
    auto device = TRY(TpmDevice::open(tpm.socket()));
    const auto secret = TRY(certify::activate_credential(device, parts.credential));
    return certify::open_grant(parts, secret);
  }
  Result<std::vector<uint8_t>> certified_quote() {
    const auto asked = TRY(request(*tpm_));
    const auto grant = TRY(certify::certify_tpm(asked, *authority_, terms_, system_random()));
    const auto der = TRY(certificate(*tpm_, grant.bytes));
    const std::string path = tpm_->folder() + "/certificate";
    std::ofstream(path, std::ios::binary) << text_of(der);
    return quote_of(*tpm_, path);
  }
  verify::TpmRules rules() const {
    return {.authorities = {sha384(authority_->certificate().key())}};
  }
  verify::Collateral collateral() const {
    verify::Collateral made;
    made.add(authority_->certificate());
    return made;
  }

  std::optional<SoftwareTpm> tpm_;
  std::optional<certify::Authority> authority_;
  certify::TpmTerms terms_;
};

TEST_F(TpmCertificates, make_quotes_pass_for_who_knows_the_authority_alone) {
  const auto quote = certified_quote();
  ASSERT_TRUE(quote) << quote.error().text;
  const Judged judged = judge(*quote, rules(), collateral());
  EXPECT_TRUE(judged.passed()) << line_of(judged.verdict);
  EXPECT_EQ(judged.platform.root_key, authority_->certificate().key());
  EXPECT_LT(quote->size(), kEvidenceBytes / 4);
}

TEST_F(TpmCertificates, are_refused_without_their_authority_or_of_another_one) {
  const auto quote = certified_quote();
  ASSERT_TRUE(quote) << quote.error().text;
  EXPECT_EQ(judge(*quote, rules()).first_failure(), kTpmKnown.code) << "no certificate to follow";
  EXPECT_EQ(judge(*quote, {}, collateral()).first_failure(), kTpmKnown.code);
  const auto other = make_authority("other");
  verify::Collateral theirs;
  theirs.add(other.certificate());
  EXPECT_EQ(
      judge(*quote, {.authorities = {sha384(other.certificate().key())}}, theirs).first_failure(),
      kTpmKnown.code);
}

TEST_F(TpmCertificates, are_refused_before_and_after_their_time) {
  const auto quote = certified_quote();
  ASSERT_TRUE(quote) << quote.error().text;
  constexpr int64_t kDay = 24 * 3600;
  for (const int64_t days : {-1, 366}) {
    EXPECT_EQ(judge(*quote, rules(), collateral(), terms_.now_unix + days * kDay).first_failure(),
              kTpmValid.code);
  }
  EXPECT_TRUE(judge(*quote, rules(), collateral(), terms_.now_unix + 364 * kDay).passed());
}

TEST_F(TpmCertificates, are_refused_of_other_keys_and_for_other_uses) {
  const auto quote = certified_quote();
  ASSERT_TRUE(quote) << quote.error().text;
  const auto key = SigningKey::generate();
  const auto foreign =
      authority_->certify(key->public_der(), "server", terms_.now_unix, terms_.now_unix + 1000);
  ASSERT_TRUE(foreign) << foreign.error().text;
  const auto changed = with_part(*quote, TpmQuoteHead::kCertificate, *foreign);
  EXPECT_EQ(judge(changed, rules(), collateral()).first_failure(), kTpmKnown.code);
  // The authority's own certificate is of no attestation key.
  const auto own = with_part(*quote, TpmQuoteHead::kCertificate, authority_->certificate().der());
  EXPECT_EQ(judge(own, rules(), collateral()).first_failure(), kTpmKnown.code);
}

TEST_F(TpmCertificates, can_be_opened_by_the_tpm_that_they_are_for_and_by_no_other) {
  auto other = SoftwareTpm::make(true);
  ASSERT_TRUE(other) << other.error().text;
  const auto asked = request(*tpm_);
  ASSERT_TRUE(asked) << asked.error().text;
  const auto grant = certify::certify_tpm(*asked, *authority_, terms_, system_random());
  ASSERT_TRUE(grant) << grant.error().text;
  const auto stolen = certificate(*other, grant->bytes);
  ASSERT_FALSE(stolen);
  EXPECT_NE(stolen.error().text.find("another TPM"), std::string::npos) << stolen.error().text;
  EXPECT_TRUE(certificate(*tpm_, grant->bytes));
}

TEST_F(TpmCertificates, cannot_be_had_for_a_key_that_is_not_in_the_tpm) {
  // Who has no TPM asks with the endorsement certificate of another machine and a key of his own.
  auto other = SoftwareTpm::make(true);
  ASSERT_TRUE(other) << other.error().text;
  const auto theirs = request(*other);
  const auto asked = request(*tpm_);
  ASSERT_TRUE(asked && theirs);
  TpmReader ours(*asked);
  const Bytes endorsement = *ours.sized("certificate");
  TpmReader reader(*theirs);
  ASSERT_TRUE(reader.sized("certificate"));
  const auto mixed = TpmWriter().sized(endorsement).sized(*reader.sized("key")).take();
  const auto grant = certify::certify_tpm(mixed, *authority_, terms_, system_random());
  ASSERT_TRUE(grant) << grant.error().text;
  EXPECT_FALSE(certificate(*tpm_, grant->bytes)) << "it does not hold that key";
  EXPECT_FALSE(certificate(*other, grant->bytes)) << "it has another endorsement key";
}

TEST_F(TpmCertificates, are_not_given_to_tpms_of_unknown_makers) {
  const auto asked = request(*tpm_);
  ASSERT_TRUE(asked) << asked.error().text;
  certify::TpmTerms strict = terms_;
  strict.makers = {};
  const auto grant = certify::certify_tpm(*asked, *authority_, strict, system_random());
  ASSERT_FALSE(grant);
  EXPECT_EQ(grant.error().code, Code::kDenied);
  EXPECT_NE(grant.error().text.find("no TPM maker"), std::string::npos) << grant.error().text;
}

TEST_F(TpmCertificates, are_not_given_to_keys_that_sign_anything_or_may_be_copied) {
  const auto asked = request(*tpm_);
  ASSERT_TRUE(asked) << asked.error().text;
  TpmReader reader(*asked);
  const Bytes endorsement = *reader.sized("certificate");
  const Bytes key = *reader.sized("key");
  for (const uint32_t bit : {tpm::kFixedTpm, tpm::kFixedParent, tpm::kSensitiveDataOrigin,
                             tpm::kRestricted, tpm::kSign, tpm::kDecrypt}) {
    std::vector<uint8_t> other(key.begin(), key.end());
    const auto attributes = TpmWriter().u32(*TpmReader(key.subspan(4)).u32("") ^ bit).take();
    std::ranges::copy(attributes, other.begin() + 4);
    const auto changed = TpmWriter().sized(endorsement).sized(other).take();
    const auto grant = certify::certify_tpm(changed, *authority_, terms_, system_random());
    ASSERT_FALSE(grant) << bit;
    EXPECT_NE(grant.error().text.find("attributes"), std::string::npos) << grant.error().text;
  }
}

TEST_F(TpmCertificates, are_not_given_for_requests_that_are_cut) {
  const auto asked = request(*tpm_);
  ASSERT_TRUE(asked) << asked.error().text;
  for (size_t size = 0; size < asked->size(); ++size) {
    EXPECT_FALSE(
        certify::certify_tpm(Bytes(*asked).first(size), *authority_, terms_, system_random()));
  }
}

TEST_F(TpmCertificates, that_were_changed_on_their_way_are_not_installed) {
  const auto asked = request(*tpm_);
  ASSERT_TRUE(asked) << asked.error().text;
  const auto grant = certify::certify_tpm(*asked, *authority_, terms_, system_random());
  ASSERT_TRUE(grant) << grant.error().text;
  for (size_t i = 0; i < grant->bytes.size(); i += 61) {
    auto changed = grant->bytes;
    changed[i] ^= 1;
    EXPECT_FALSE(certificate(*tpm_, changed)) << i;
  }
}

TEST_F(TpmCertificates, that_are_no_files_are_refused_with_what_to_do) {
  const std::string path = tpm_->folder() + "/certificate";
  std::ofstream(path) << std::string(5000, 'x');
  const auto large = quote_of(*tpm_, path);
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().text.find("certified again"), std::string::npos) << large.error().text;
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_FALSE(quote_of(*tpm_, path));
  fs::remove(path);
  fs::create_symlink(tpm_->maker(), path);
  EXPECT_FALSE(quote_of(*tpm_, path));
}

TEST_F(TpmCertificates, authorities_keep_their_key_to_themselves) {
  const std::string key = tpm_->folder() + "/owner.key";
  EXPECT_EQ(fs::status(key).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_FALSE(certify::Authority::found("again", key, key + ".pem", 0))
      << "nothing is written over";
  fs::permissions(key, fs::perms::others_read, fs::perm_options::add);
  const auto opened = certify::Authority::open(key, tpm_->folder() + "/owner.pem");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kDenied) << opened.error().text;
}

}  // namespace
}  // namespace casemate::tests
