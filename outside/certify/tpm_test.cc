// SPDX-License-Identifier: Apache-2.0
// Whom a TPM's certificate has to be of, before a TPM whose maker says what a test wants. The whole
// way with a (software) TPM is in tests/tpm.
#include "outside/certify/tpm.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <filesystem>

#include "outside/verify/tpm/testing/tpm_signer.h"
#include "outside/verify/x509/owned.h"
#include "outside/verify/x509/testing/authority.h"
#include "wire/tpm/marshal.h"

namespace casemate::certify {
namespace {

using verify::testing::ExtraExtension;

constexpr int64_t kNow = 1'772'323'200;
constexpr const char* kUses = "2.5.29.37";  // extended key usage
constexpr const char* kUsage = "2.5.29.15";
const ExtraExtension kOfEndorsement{kUses, {0x30, 7, 6, 5, 0x67, 0x81, 5, 8, 1}};
const ExtraExtension kForKeys{kUsage, {3, 2, 5, 0x20}, true};  // key encipherment

std::vector<uint8_t> endorsement_key() {
  const verify::Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_RSA_gen(2048u));
  std::vector<uint8_t> der(static_cast<size_t>(i2d_PUBKEY(key.get(), nullptr)));
  uint8_t* at = der.data();
  i2d_PUBKEY(key.get(), &at);
  return der;
}

class Endorsements : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "casemate-certify-XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    const std::string stem = folder_ + "/owner";
    ASSERT_TRUE(Authority::found("owner", stem + ".key", stem + ".pem", kNow));
    auto opened = Authority::open(stem + ".key", stem + ".pem");
    ASSERT_TRUE(opened) << opened.error().text;
    authority_.emplace(*std::move(opened));
    terms_.makers.add(maker_.certificate());
    terms_.now_unix = kNow;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // What is said to a TPM whose maker certifies its endorsement key with `extensions`.
  std::string refusal(std::vector<ExtraExtension> extensions) {
    const auto certificate =
        maker_.certify(key_, {.name = "TPM", .extensions = std::move(extensions)});
    issued_.push_back(certificate);
    const verify::testing::TpmSigner tpm;
    const auto request = TpmWriter().sized(certificate.der()).sized(tpm.key).take();
    const auto grant = certify_tpm(request, *authority_, terms_, system_random());
    return grant ? "" : grant.error().text;
  }

  std::string folder_;
  std::optional<Authority> authority_;
  verify::testing::Authority maker_{{.name = "maker", .authority = true}};
  std::vector<uint8_t> key_ = endorsement_key();
  std::vector<verify::X509Certificate> issued_;
  TpmTerms terms_;
};

TEST_F(Endorsements, are_of_endorsement_keys_by_name_where_they_name_anything) {
  EXPECT_EQ(refusal({kOfEndorsement, kForKeys}), "");
  EXPECT_EQ(refusal({kForKeys}), "") << "older ones say nothing";
  // Of an attestation key, of a server, for anything, for nothing that can be read.
  for (const std::vector<uint8_t>& uses :
       {std::vector<uint8_t>{0x30, 7, 6, 5, 0x67, 0x81, 5, 8, 3},
        std::vector<uint8_t>{0x30, 10, 6, 8, 0x2B, 6, 1, 5, 5, 7, 3, 1},
        std::vector<uint8_t>{0x30, 6, 6, 4, 0x55, 0x1D, 0x25, 0}, std::vector<uint8_t>{5, 0}}) {
    EXPECT_TRUE(refusal({{kUses, uses, false}, kForKeys}).contains("not of an endorsement key"));
  }
}

TEST_F(Endorsements, let_keys_be_enciphered) {
  EXPECT_EQ(refusal({kOfEndorsement}), "") << "without the extension anything is";
  EXPECT_EQ(refusal({kOfEndorsement, {kUsage, {3, 2, 5, 0xA0}, true}}), "") << "and signing";
  // Signing; agreeing on keys; signing certificates; and unreadable.
  for (const std::vector<uint8_t>& usage :
       {std::vector<uint8_t>{3, 2, 7, 0x80}, std::vector<uint8_t>{3, 2, 3, 0x08},
        std::vector<uint8_t>{3, 2, 2, 0x04}, std::vector<uint8_t>{5, 0}}) {
    EXPECT_TRUE(
        refusal({kOfEndorsement, {kUsage, usage, true}}).contains("not of an endorsement key"));
  }
}

TEST_F(Endorsements, that_their_maker_took_back_count_no_longer) {
  EXPECT_EQ(refusal({kOfEndorsement, kForKeys}), "");
  terms_.makers.add(maker_.list({issued_.back()}));
  EXPECT_EQ(refusal({kOfEndorsement, kForKeys}), "") << "another one";
  const verify::testing::TpmSigner tpm;
  const auto request = TpmWriter().sized(issued_.front().der()).sized(tpm.key).take();
  const auto grant = certify_tpm(request, *authority_, terms_, system_random());
  ASSERT_FALSE(grant);
  EXPECT_TRUE(grant.error().text.contains("was revoked")) << grant.error().text;
}

}  // namespace
}  // namespace casemate::certify
