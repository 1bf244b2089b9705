// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/certificate.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "outside/verify/testing/signer.h"

namespace casemate::verify {
namespace {

using testing::make_certificate;
using testing::Signer;

TEST(Certificate, key_and_evidence_are_read) {
  Signer signer;
  signer.sign();
  const auto read = read_certificate(make_certificate(signer.tls, signer.evidence()));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->key, signer.tls.public_der());
  EXPECT_EQ(read->evidence, signer.evidence());
}

TEST(Certificate, one_without_evidence_is_read_too) {
  const Signer signer;
  const auto read = read_certificate(make_certificate(signer.tls, {}, 0));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_TRUE(read->evidence.empty());
}

TEST(Certificate, the_extension_twice_is_refused) {
  const Signer signer;
  const auto read = read_certificate(make_certificate(signer.tls, ByteArray<4>{1, 2, 3, 4}, 2));
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().text.find("twice"), std::string::npos);
}

TEST(Certificate, evidence_over_the_limit_is_refused) {
  const Signer signer;
  const std::vector<uint8_t> bomb(kEvidenceBytes + 1);
  const auto read = read_certificate(make_certificate(signer.tls, bomb));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kTooLarge);
}

TEST(Certificate, one_cut_at_any_byte_or_with_bytes_behind_is_refused) {
  Signer signer;
  signer.sign();
  std::vector<uint8_t> der = make_certificate(signer.tls, signer.evidence());
  for (size_t size = 0; size < der.size(); ++size)
    EXPECT_FALSE(read_certificate(Bytes(der).first(size))) << size;
  der.push_back(0);
  EXPECT_FALSE(read_certificate(der));
  EXPECT_FALSE(read_certificate_pem("-----BEGIN CERTIFICATE-----\nAAAA\n"));
}

TEST(Certificate, only_p256_keys_are_taken_for_a_monitor) {
  const Signer signer;
  EXPECT_TRUE(check_p256_key(signer.monitor.public_der()));
  std::vector<uint8_t> key = signer.monitor.public_der();
  key.push_back(0);
  EXPECT_FALSE(check_p256_key(key));
  key.pop_back();
  key.back() ^= 1;
  EXPECT_FALSE(check_p256_key(key)) << "off the curve";
  EXPECT_FALSE(check_p256_key({}));
  EXPECT_FALSE(check_p256_key(signer.attestation.public_der())) << "on P-384";
}

}  // namespace
}  // namespace casemate::verify
