// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/voucher.h"

#include <gtest/gtest.h>

namespace casemate::attest {
namespace {

// A root that remembers what it was asked, or refuses.
class Notary final : public RootOfTrust {
 public:
  explicit Notary(std::vector<ByteArray<64>>* asked) : asked_(asked) {}
  Result<std::vector<uint8_t>> quote(const allow::Vouch&, const ByteArray<64>& data) override {
    if (asked_ == nullptr) return Error{Code::kPlatform, "the device is gone"};
    asked_->push_back(data);
    return std::vector<uint8_t>{1, 2, 3};
  }
  [[nodiscard]] bool quick() const override { return true; }

 private:
  std::vector<ByteArray<64>>* asked_;
};

template <class Digest>
Digest filled(uint8_t byte) {
  Digest digest{};
  digest.fill(byte);
  return digest;
}

Voucher make(std::vector<ByteArray<64>>* asked) {
  auto voucher = Voucher::make(allow::assume_all_powers().vouch, std::make_unique<Notary>(asked),
                               filled<Sha384Digest>(5));
  EXPECT_TRUE(voucher);
  return std::move(*voucher);
}

// The monitor's key out of the claims: they end in it.
std::vector<uint8_t> key_in(const std::vector<uint8_t>& claims) {
  constexpr size_t kKey = 91;
  EXPECT_GT(claims.size(), kKey);
  return {claims.end() - kKey, claims.end()};
}

Measured measured() {
  Measured m;
  m.enclave = EnclaveId::of({3}, 7);
  m.kind = EnclaveKind::kModel;
  m.model_version = 4;
  m.program = filled<Sha384Digest>(1);
  m.manifest = filled<Sha384Digest>(2);
  m.model = filled<Sha384Digest>(3);
  m.device = filled<Sha384Digest>(4);
  m.peers = filled<Sha384Digest>(5);
  m.name = "digits";
  m.device_name = "cpu:0";
  return m;
}

TEST(Voucher, has_the_root_vouch_for_exactly_the_two_keys) {
  std::vector<ByteArray<64>> asked;
  Voucher voucher = make(&asked);
  const auto tls_key = filled<Sha256Digest>(9);
  const auto evidence = voucher.vouch_for_key(tls_key);
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->quote, (std::vector<uint8_t>{1, 2, 3}));
  const auto own_key = key_in(evidence->claims);
  EXPECT_EQ(evidence->claims, encode_claims(tls_key, filled<Sha384Digest>(5), own_key));
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0], report_data_of(evidence->claims));
  const auto other = voucher.vouch_for_key(filled<Sha256Digest>(8));
  ASSERT_TRUE(other);
  EXPECT_EQ(key_in(other->claims), own_key) << "one key for the life of the monitor";
  EXPECT_NE(asked.at(1), asked.at(0));
}

TEST(Voucher, says_what_the_key_is_for) {
  std::vector<ByteArray<64>> asked;
  Voucher voucher = make(&asked);
  const auto hash = filled<Sha256Digest>(9);
  const auto claims = voucher.vouch_for_key(hash, KeyUse::kHpke)->claims;
  EXPECT_EQ(claims, encode_claims(hash, filled<Sha384Digest>(5), key_in(claims), KeyUse::kHpke));
  EXPECT_NE(claims, voucher.vouch_for_key(hash)->claims);
}

TEST(Voucher, makes_a_key_of_its_own_at_every_start) {
  std::vector<ByteArray<64>> asked;
  Voucher first = make(&asked);
  Voucher second = make(&asked);
  EXPECT_NE(key_in(first.vouch_for_key({})->claims), key_in(second.vouch_for_key({})->claims));
}

TEST(Voucher, says_what_the_root_says_when_it_refuses) {
  Voucher voucher = make(nullptr);
  const auto evidence = voucher.vouch_for_key({});
  ASSERT_FALSE(evidence);
  EXPECT_EQ(evidence.error().text, "the device is gone");
}

TEST(Voucher, signs_what_was_measured_and_what_was_asked) {
  std::vector<ByteArray<64>> asked;
  Voucher voucher = make(&asked);
  const auto key = key_in(voucher.vouch_for_key({})->claims);
  const auto key_hash = filled<Sha384Digest>(6);
  const auto nonce = filled<Nonce>(7);
  for (const bool debug : {false, true}) {
    Measured m = measured();
    m.debug = debug;
    if (debug) m.device_evidence = {1, 2, 3};
    const auto token = voucher.token(m, {12}, key_hash, nonce);
    ASSERT_TRUE(token);
    EXPECT_TRUE(check_form(*token));
    EXPECT_EQ(token->flags, debug ? EnclaveToken::kDebug : 0u);
    EXPECT_EQ(token->enclave, m.enclave.number);
    EXPECT_EQ(token->epoch, 12u);
    EXPECT_EQ(token->kind, static_cast<uint32_t>(EnclaveKind::kModel));
    EXPECT_EQ(token->model_version, 4u);
    EXPECT_EQ(token->nonce, nonce);
    EXPECT_EQ(token->key_hash, key_hash);
    EXPECT_EQ(token->program_measurement, m.program);
    EXPECT_EQ(token->manifest_measurement, m.manifest);
    EXPECT_EQ(token->model_measurement, m.model);
    EXPECT_EQ(token->device_measurement, m.device);
    EXPECT_EQ(token->peers_measurement, m.peers);
    EXPECT_EQ(token->name.view(), "digits");
    EXPECT_EQ(token->device.view(), "cpu:0");
    EXPECT_EQ(token->device_evidence, debug ? sha384(m.device_evidence) : Sha384Digest{});
    EXPECT_TRUE(verify_signature(key, token->signed_bytes(), token->signature, Curve::kP256));
  }
}

TEST(Voucher, no_byte_of_a_token_can_change_under_its_signature) {
  std::vector<ByteArray<64>> asked;
  Voucher voucher = make(&asked);
  const auto key = key_in(voucher.vouch_for_key({})->claims);
  const auto token = voucher.token(measured(), {12}, {}, {});
  ASSERT_TRUE(token);
  const Bytes signed_bytes = token->signed_bytes();
  for (size_t i = 0; i < signed_bytes.size(); ++i) {
    std::vector<uint8_t> changed(signed_bytes.begin(), signed_bytes.end());
    changed[i] ^= 1;
    EXPECT_FALSE(verify_signature(key, changed, token->signature)) << "byte " << i;
  }
}

}  // namespace
}  // namespace casemate::attest
