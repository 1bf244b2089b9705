// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/jose/jose.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/testing/issuer.h"

namespace casemate::verify {
namespace {

const SigningKey& jose_key() {
  static const SigningKey key = *SigningKey::generate();
  return key;
}

std::string with_header(std::string_view header) {
  const std::string text = formatted("{}.e30", to_base64url(bytes_of(header)));
  const auto signature = jose_key().sign(bytes_of(std::string_view(text)));
  return text + "." + to_base64url(*signature);
}

bool accepted(std::string_view token) {
  const auto jws = read_jws(token);
  return jws && check_jws(*jws, jose_key().public_der());
}

TEST(Jose, base64url_has_one_spelling) {
  for (const std::string_view text : {"", "AA", "_-8", "AAAA", "AAAAAA"}) {
    const auto bytes = from_base64url(text);
    ASSERT_TRUE(bytes) << text;
    EXPECT_EQ(to_base64url(*bytes), text);
  }
  for (const std::string_view text : {"A", "AB", "AAB", "AA==", "AA\n", "A+", "A/", " AA", "AAAAA"})
    EXPECT_FALSE(from_base64url(text)) << text;
}

TEST(Jose, what_we_sign_is_read_and_verified) {
  const auto token = make_jws(R"({"a":1})", jose_key());
  ASSERT_TRUE(token);
  const auto jws = read_jws(*token);
  ASSERT_TRUE(jws) << jws.error().text;
  EXPECT_EQ(jws->payload, R"({"a":1})");
  EXPECT_TRUE(check_jws(*jws, jose_key().public_der()));
  EXPECT_FALSE(check_jws(*jws, SigningKey::generate()->public_der()));
}

TEST(Jose, one_changed_character_anywhere_is_refused) {
  auto token = *make_jws(R"({"a":1})", jose_key());
  for (size_t i = 0; i < token.size(); ++i) {
    const char good = token[i];
    token[i] = good == 'A' ? 'B' : 'A';
    EXPECT_FALSE(accepted(token)) << i;
    token[i] = good;
  }
  EXPECT_TRUE(accepted(token));
}

TEST(Jose, headers_that_weaken_or_that_have_to_be_obeyed_are_refused) {
  EXPECT_TRUE(accepted(with_header(R"({"alg":"ES384"})")));
  EXPECT_FALSE(accepted(with_header(R"({"alg":"none"})")));
  EXPECT_FALSE(accepted(with_header(R"({"alg":"HS384"})")));
  EXPECT_FALSE(accepted(with_header(R"({"alg":"ES256"})")));
  EXPECT_FALSE(accepted(with_header(R"({"alg":7})")));
  EXPECT_FALSE(accepted(with_header(R"({})")));
  EXPECT_FALSE(accepted(with_header(R"([])")));
  EXPECT_FALSE(accepted(with_header(R"({"alg":"ES384","alg":"none"})")));
  EXPECT_FALSE(accepted(with_header(R"({"alg":"ES384","crit":["exp"]})")));
  for (const std::string_view text : {"", ".", "..", "e30", "e30.e30", "e30.e30."})
    EXPECT_FALSE(accepted(text)) << text;
}

TEST(Jose, keys_are_whole_points_of_their_curve) {
  const Bytes point = Bytes(jose_key().public_der()).last(96);
  const auto key = [&](std::string_view type, std::string_view curve, Bytes x, Bytes y) {
    return key_of_jwk(
        {{"kty", type}, {"crv", curve}, {"x", to_base64url(x)}, {"y", to_base64url(y)}});
  };
  const auto good = key("EC", "P-384", point.first(48), point.last(48));
  ASSERT_TRUE(good) << good.error().text;
  EXPECT_EQ(*good, jose_key().public_der());
  EXPECT_FALSE(key("EC", "P-384", point.last(48), point.first(48)));
  EXPECT_FALSE(key("EC", "P-256", point.first(48), point.last(48)));
  EXPECT_FALSE(key("RSA", "P-384", point.first(48), point.last(48)));
  EXPECT_FALSE(key("EC", "P-384", point.first(47), point.last(48)));
  EXPECT_EQ(*key_of_jwk(nlohmann::json(jwk_of(jose_key().public_der()))), jose_key().public_der());
  EXPECT_FALSE(key_of_jwk({}));
  EXPECT_FALSE(key_of_jwk(nlohmann::json::array()));
}

TEST(Jose, a_header_of_ones_own_is_signed_and_comes_back) {
  constexpr std::string_view kHeader = R"({"alg":"ES384","typ":"other"})";
  const auto jws = read_jws(*make_jws("{}", jose_key(), kHeader));
  ASSERT_TRUE(jws) << jws.error().text;
  EXPECT_EQ(jws->header, kHeader);
  EXPECT_TRUE(check_jws(*jws, jose_key().public_der()));
  EXPECT_EQ(read_jws(*make_jws("{}", jose_key()))->header, kJwtHeader);
}

TEST(Jose, private_keys_are_read_from_pem_text) {
  const std::string pem = testing::pem_of(jose_key());
  const auto key = signing_key_in_pem(pem);
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->public_der(), jose_key().public_der());
  EXPECT_EQ(*signing_key_pem(jose_key()), pem);
  EXPECT_FALSE(signing_key_in_pem("nothing"));
  EXPECT_FALSE(
      signing_key_in_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
}

}  // namespace
}  // namespace casemate::verify
