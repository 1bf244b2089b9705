// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/ra_tls.h"

#include <gtest/gtest.h>

#include "outside/verify/intel/testing/platform.h"

namespace casemate::verify::intel {
namespace {

using testing::Kind;
using testing::TestPlatform;
using verify::testing::Authority;
using verify::testing::ExtraExtension;

constexpr const char* kOid = "2.23.133.5.4.9";
constexpr const char* kOlderOid = "1.2.840.113741.1337.6";

void add(std::vector<uint8_t>& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

std::vector<uint8_t> byte_string(Bytes bytes) {
  std::vector<uint8_t> item = {0x59, static_cast<uint8_t>(bytes.size() >> 8),
                               static_cast<uint8_t>(bytes.size())};
  if (bytes.size() < 256) item = {0x58, static_cast<uint8_t>(bytes.size())};
  if (bytes.size() < 24) item = {static_cast<uint8_t>(0x40 + bytes.size())};
  add(item, bytes);
  return item;
}

// {"pubkey-hash": bytes of [algorithm, hash], more...}
std::vector<uint8_t> claims_of(Bytes hash, uint8_t algorithm = 1) {
  std::vector<uint8_t> pair = {0x82, algorithm};
  add(pair, byte_string(hash));
  std::vector<uint8_t> claims = {0xA2, 0x6B};
  add(claims, bytes_of(std::string_view("pubkey-hash")));
  add(claims, byte_string(pair));
  add(claims, std::vector<uint8_t>{0x61, 'x', 0x61, 'y'});  // another claim, a text
  return claims;
}

std::vector<uint8_t> evidence_of(Bytes quote, Bytes claims) {
  std::vector<uint8_t> evidence = {0xD9, 0xEA, 0x60, 0x82};
  add(evidence, byte_string(quote));
  add(evidence, byte_string(claims));
  return evidence;
}

struct Server {
  TestPlatform platform{Kind::kSgx3};
  Authority key{{.name = "server"}};

  std::vector<uint8_t> quote_over(Bytes vouched) {
    platform.set(320, sha256(vouched));
    return platform.quote();
  }
  [[nodiscard]] Sha256Digest key_hash() const { return sha256(key.certificate().key()); }
  // The code of the first check that fails.
  [[nodiscard]] std::string judge(std::vector<ExtraExtension> extensions) const {
    const Authority made =
        key.renewed({.name = "server", .extensions = std::move(extensions)}, key);
    return judge_certificate(made.certificate());
  }
  [[nodiscard]] std::string judge_certificate(const X509Certificate& certificate) const {
    Verdict verdict;
    Checks checks(verdict);
    appraise_certificate(certificate, platform.rules(), platform.collateral(), testing::kNow,
                         checks);
    const Check* failure = verdict.first_failure();
    return failure == nullptr ? "" : std::string(failure->code);
  }
};

TEST(RaTls, certificate_whose_claims_name_its_key_is_judged_by_its_quote) {
  Server server;
  const std::vector<uint8_t> claims = claims_of(server.key_hash());
  const std::vector<uint8_t> quote = server.quote_over(claims);
  EXPECT_EQ(server.judge({{kOid, evidence_of(quote, claims)}}), "");
  // Signed by another key, or over.
  const Authority other({.name = "server"});
  const std::vector<ExtraExtension> extensions = {{kOid, evidence_of(quote, claims)}};
  EXPECT_EQ(
      server.judge_certificate(
          server.key.renewed({.name = "server", .extensions = extensions}, other).certificate()),
      "ratls.self_signed");
  EXPECT_EQ(
      server.judge_certificate(
          server.key
              .renewed({.name = "server", .not_after = testing::kNow - 1, .extensions = extensions},
                       server.key)
              .certificate()),
      "ratls.validity");
  // The same evidence in the certificate of another key.
  EXPECT_EQ(server.judge_certificate(
                other.renewed({.name = "server", .extensions = extensions}, other).certificate()),
            "ratls.key");
}

TEST(RaTls, claims_that_the_quote_does_not_commit_to_are_refused) {
  Server server;
  const std::vector<uint8_t> claims = claims_of(server.key_hash());
  const std::vector<uint8_t> quote = server.quote_over(std::vector<uint8_t>{1});
  EXPECT_EQ(server.judge({{kOid, evidence_of(quote, claims)}}), "ratls.report_data");
  // Zeros follow on the hash.
  server.quote_over(claims);
  server.platform.set(383, ByteArray<1>{1});
  EXPECT_EQ(server.judge({{kOid, evidence_of(server.platform.quote(), claims)}}),
            "ratls.report_data");
}

TEST(RaTls, claims_without_a_hash_that_is_known_are_refused) {
  Server server;
  const auto judge = [&](const std::vector<uint8_t>& claims) {
    return server.judge({{kOid, evidence_of(server.quote_over(claims), claims)}});
  };
  EXPECT_EQ(judge({0xA0}), "ratls.claims");
  EXPECT_EQ(judge({0x80}), "ratls.claims");
  EXPECT_EQ(judge({}), "ratls.claims");
  EXPECT_EQ(judge(claims_of(server.key_hash(), 2)), "ratls.key");
  EXPECT_EQ(judge(claims_of(Bytes(server.key_hash()).first(16))), "ratls.key");
  std::vector<uint8_t> longer = claims_of(server.key_hash());
  longer.push_back(0);
  EXPECT_EQ(judge(longer), "ratls.claims");
}

TEST(RaTls, evidence_that_is_cut_off_or_of_another_tag_is_refused) {
  Server server;
  const std::vector<uint8_t> claims = claims_of(server.key_hash());
  std::vector<uint8_t> evidence = evidence_of(server.quote_over(claims), claims);
  for (size_t size = 0; size < evidence.size(); size += 499) {
    std::vector<uint8_t> cut(evidence.begin(), evidence.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(server.judge({{kOid, std::move(cut)}}), "ratls.evidence") << size;
  }
  evidence[2] = 0x61;
  EXPECT_EQ(server.judge({{kOid, evidence}}), "ratls.evidence");
  EXPECT_EQ(server.judge(std::vector<ExtraExtension>{}), "ratls.evidence");
}

TEST(RaTls, gramine_s_older_form_commits_to_the_key_itself) {
  Server server;
  const std::vector<uint8_t> quote = server.quote_over(server.key.certificate().key());
  EXPECT_EQ(server.judge({{kOlderOid, quote}}), "");
  EXPECT_EQ(server.judge({{kOlderOid, server.quote_over(std::vector<uint8_t>{1})}}),
            "ratls.report_data");
  // Where both are there, both must hold.
  const std::vector<uint8_t> claims = claims_of(server.key_hash());
  const std::vector<uint8_t> other = server.quote_over(claims);
  EXPECT_EQ(server.judge({{kOid, evidence_of(other, claims)}, {kOlderOid, quote}}), "");
  EXPECT_EQ(server.judge({{kOid, evidence_of(other, claims)}, {kOlderOid, other}}),
            "ratls.report_data");
}

}  // namespace
}  // namespace casemate::verify::intel
