// SPDX-License-Identifier: Apache-2.0
// Signatures and keys that no honest signer makes, and that a verifier who counts on one took for
// good before now: the same ones before every format.
#include <gtest/gtest.h>

#include <algorithm>

#include "outside/verify/cca/testing/judged.h"
#include "outside/verify/cose/cose.h"
#include "outside/verify/intel/intel.h"
#include "outside/verify/intel/quote.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/jose/jose.h"
#include "outside/verify/nvidia/testing/gpu.h"
#include "outside/verify/tpm/testing/tpm_signer.h"
#include "outside/verify/tpm/verify_tpm.h"
#include "wire/tpm/marshal.h"

namespace casemate::verify {
namespace {

using Blob = std::vector<uint8_t>;

// Orders of the curves (FIPS 186-4, section D.1.2).
constexpr std::string_view kOrder256 =
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
constexpr std::string_view kOrder384 =
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc529"
    "73";

struct Hostile {
  std::string what;
  Blob first;   // r, or x
  Blob second;  // s, or y
};

Blob joined(const Hostile& hostile) {
  Blob both = hostile.first;
  both.insert(both.end(), hostile.second.begin(), hostile.second.end());
  return both;
}

// In place of a signature r || s of numbers of `size` bytes.
std::vector<Hostile> signatures(size_t size, Bytes good) {
  const Blob zero(size);
  const Blob order = *from_hex(size == 32 ? kOrder256 : kOrder384);
  Blob beyond = order;
  ++beyond.back();
  const Blob most(size, uint8_t{0xFF});
  Blob one(size);
  one.back() = 1;
  const Blob r(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));
  const Blob s(good.begin() + static_cast<ptrdiff_t>(size), good.end());
  Blob reversed_r = r;
  Blob reversed_s = s;
  std::ranges::reverse(reversed_r);
  std::ranges::reverse(reversed_s);
  return {{"r = 0", zero, s},
          {"s = 0", r, zero},
          {"both 0", zero, zero},
          {"r = n", order, s},
          {"s = n", r, order},
          {"both n", order, order},
          {"r = n + 1", beyond, s},
          {"s = n + 1", r, beyond},
          {"r of ones", most, s},
          {"s of ones", r, most},
          {"both 1", one, one},
          {"exchanged", s, r},
          {"the other byte order", reversed_r, reversed_s}};
}

// In place of a point x || y: infinity as some write it, and what lies on no curve or beyond it.
std::vector<Hostile> points(size_t size) {
  const Blob zero(size);
  Blob one(size);
  one.back() = 1;
  const Blob most(size, uint8_t{0xFF});
  return {{"infinity", zero, zero},
          {"(0, 1)", zero, one},
          {"(1, 0)", one, zero},
          {"(1, 1)", one, one},
          {"beyond the field", most, most}};
}

void put(Blob& into, size_t at, Bytes bytes) {
  std::ranges::copy(bytes, into.begin() + static_cast<ptrdiff_t>(at));
}

std::string first_code_of(const Verdict& verdict) {
  const Check* failure = verdict.first_failure();
  return failure == nullptr ? "accepted" : std::string(failure->code);
}

TEST(HostileNumbers, in_a_quote_of_intel_s_are_refused) {
  using intel::testing::Kind;
  using intel::testing::kNow;
  for (const Kind kind : {Kind::kSgx3, Kind::kTdx4, Kind::kTdx15}) {
    const intel::testing::TestPlatform made(kind);
    const Blob good = made.quote();
    const auto judge = [&](Bytes quote) {
      Verdict verdict;
      Checks checks(verdict);
      intel::appraise(quote, made.rules(), made.collateral(), kNow, checks);
      return first_code_of(verdict);
    };
    ASSERT_EQ(judge(good), "accepted");
    const auto read = intel::read_quote(good);
    ASSERT_TRUE(read);
    const size_t signature = read->signed_bytes.size() + 4;
    const size_t enclave = static_cast<size_t>(read->qe_report_bytes.data() - good.data());
    const auto with = [&](size_t at, const Hostile& hostile) {
      Blob bent = good;
      put(bent, at, joined(hostile));
      return judge(bent);
    };
    for (const Hostile& one : signatures(32, Bytes(good).subspan(signature, 64)))
      EXPECT_EQ(with(signature, one), "intel.signature") << one.what;
    for (const Hostile& one : points(32))
      EXPECT_EQ(with(signature + 64, one), "intel.signature") << one.what;
    const size_t second = enclave + read->qe_report_bytes.size();
    for (const Hostile& one : signatures(32, Bytes(good).subspan(second, 64)))
      EXPECT_EQ(with(second, one), "intel.qe_signature") << one.what;
  }
}

TEST(HostileNumbers, in_a_token_of_arm_s_are_refused) {
  const cca::testing::Realm realm;
  const Blob good = realm.token();
  const auto judge = [&](Bytes token) {
    return cca::testing::judge(token, realm.rules(), realm.collateral()).outcome();
  };
  ASSERT_EQ(judge(good), "accepted");
  // The realm's signature is the last that stands in it.
  for (const Hostile& one : signatures(48, Bytes(good).last(96))) {
    Blob bent = good;
    put(bent, good.size() - 96, joined(one));
    EXPECT_EQ(judge(bent), "cca.realm_signature") << one.what;
  }
  for (const Hostile& one : points(48)) {
    cca::testing::Realm other;
    Blob point = {4};
    const Blob both = joined(one);
    point.insert(point.end(), both.begin(), both.end());
    cca::testing::Realm::set(other.realm, 44237, cca::testing::bytes_item(point));
    other.bind();
    const auto judged =
        cca::testing::judge(other.token(), other.rules(), other.collateral()).outcome();
    EXPECT_EQ(judged, "cca.realm_signature") << one.what;
  }
}

TEST(HostileNumbers, in_cose_and_jose_are_refused) {
  const SigningKey key = *SigningKey::generate();
  const Blob message = {1, 2, 3};
  const Blob signed_item = *make_sign1(message, key);
  CborReader reader(signed_item);
  const auto item = read_sign1(reader, "the item");
  ASSERT_TRUE(item && check_sign1(*item, key.public_der()));
  const auto text = make_jws("{}", key);
  const auto jws = read_jws(*text);
  ASSERT_TRUE(jws && check_jws(*jws, key.public_der()));
  for (const Hostile& one : signatures(48, item->signature)) {
    Sign1 bent = *item;
    const Blob both = joined(one);
    bent.signature = both;
    EXPECT_FALSE(check_sign1(bent, key.public_der())) << one.what;
  }
  for (const Hostile& one : signatures(48, jws->signature)) {
    Jws bent = *jws;
    bent.signature = joined(one);
    EXPECT_FALSE(check_jws(bent, key.public_der())) << one.what;
  }
  for (const Hostile& one : points(48)) {
    const nlohmann::json jwk = {{"kty", "EC"},
                                {"crv", "P-384"},
                                {"x", to_base64url(one.first)},
                                {"y", to_base64url(one.second)}};
    EXPECT_FALSE(key_of_jwk(jwk)) << one.what;
    const Blob cose = CborWriter()
                          .head(CborType::kMap, 4)
                          .integer(1)
                          .integer(2)
                          .integer(-1)
                          .integer(2)
                          .integer(-2)
                          .bytes(one.first)
                          .integer(-3)
                          .bytes(one.second)
                          .written();
    EXPECT_FALSE(key_of_cose(cose)) << one.what;
  }
}

TEST(HostileNumbers, in_a_gpu_s_answer_are_refused) {
  const nvidia::testing::Gpu gpu;
  const Blob good = gpu.evidence();
  const auto judge = [&](Bytes evidence) {
    Verdict verdict;
    Checks checks(verdict);
    nvidia::appraise(evidence, gpu.rules(), gpu.collateral(), nvidia::testing::kNow, checks);
    return first_code_of(verdict);
  };
  ASSERT_EQ(judge(good), "accepted");
  for (const Hostile& one : signatures(48, Bytes(good).last(96))) {
    Blob bent = good;
    put(bent, good.size() - 96, joined(one));
    EXPECT_EQ(judge(bent), "nvidia.signature") << one.what;
  }
}

TEST(HostileNumbers, in_a_tpm_s_quote_are_refused) {
  testing::TpmSigner good;
  const auto judge = [](const testing::TpmSigner& signer) {
    Verdict verdict;
    Checks checks(verdict);
    TpmRules rules;
    rules.keys = {sha384(signer.key)};
    verify_tpm(signer.quote(), {}, rules, signer.issued_unix, checks);
    return first_code_of(verdict);
  };
  ASSERT_EQ(judge(good), "accepted");
  Blob numbers(64);
  numbers[31] = 5;
  numbers[63] = 7;
  for (const Hostile& one : signatures(32, numbers)) {
    testing::TpmSigner bent = good;
    TpmWriter out;  // TPMT_SIGNATURE of ECDSA by SHA-256, as the good one has it
    out.bytes(Bytes(good.signature).first(4)).sized(one.first).sized(one.second);
    bent.signature = out.take();
    EXPECT_EQ(judge(bent), "tpm.signature") << one.what;
  }
  // The point is what TPMT_PUBLIC ends with.
  for (const Hostile& one : points(32)) {
    testing::TpmSigner bent = good;
    put(bent.key, bent.key.size() - 66, one.first);
    put(bent.key, bent.key.size() - 32, one.second);
    EXPECT_NE(judge(bent), "accepted") << one.what;
  }
}

}  // namespace
}  // namespace casemate::verify
