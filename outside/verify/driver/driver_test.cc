// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/driver/driver.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/driver/codes.h"
#include "outside/verify/jose/jose.h"

namespace casemate::verify::driver {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kNow = 1'772'323'200;
constexpr int64_t kDay = 24 * 3600;

const SigningKey& author() {
  static const SigningKey key = *SigningKey::generate();
  return key;
}

Sha384Digest program(std::string_view name) { return sha384(bytes_of(name)); }

Endorsement good_endorsement() {
  return {.issuer = "Ada",
          .issued_unix = kNow,
          .expires_unix = kNow + kDay,
          .device = "npu",
          .programs = {program("old"), program("new")}};
}

Rules rules_of_author() { return {.keys = {sha384(author().public_der())}}; }

// The first failure's code; "accepted".
std::string outcome(std::string_view text, const Rules& rules = rules_of_author(),
                    int64_t now = kNow, std::string_view device = "npu:0",
                    std::string_view name = "new") {
  Verdict verdict;
  Checks checks(verdict);
  const Driven driven[] = {{"a@npu:0", device, program(name)}};
  appraise(bytes_of(text), driven, rules, now, checks);
  EXPECT_FALSE(json_of(verdict).empty());
  const Check* failure = verdict.first_failure();
  if (failure == nullptr) return "accepted";
  EXPECT_FALSE(failure->expected.empty() || failure->actual.empty()) << failure->code;
  return std::string(failure->code);
}

Json good_header() {
  return {{"alg", "ES384"}, {"typ", "casemate-driver+jwt"}, {"jwk", jwk_of(author().public_der())}};
}
Json good_payload() {
  return {{"iss", "Ada"},
          {"iat", kNow},
          {"exp", kNow + kDay},
          {"device", "npu"},
          {"programs", Json::array({to_hex(program("new"))})}};
}
std::string with(const Json& header, const Json& payload) {
  return *make_jws(payload.dump(), author(), header.dump());
}

TEST(Driver, an_endorsement_by_a_known_key_is_accepted_for_each_of_its_programs) {
  const auto text = endorse(good_endorsement(), author());
  ASSERT_TRUE(text) << text.error().text;
  EXPECT_TRUE(looks_like(bytes_of(std::string_view(*text))));
  EXPECT_EQ(outcome(*text), "accepted");
  EXPECT_EQ(outcome(*text, rules_of_author(), kNow, "npu:7", "old"), "accepted");
  EXPECT_EQ(outcome(text->substr(0, text->size() - 1)), "accepted") << "without its newline";
  EXPECT_EQ(outcome(with(good_header(), good_payload())), "accepted");
  Verdict verdict;
  Checks checks(verdict);
  const Platform platform =
      appraise(bytes_of(std::string_view(*text)), {}, rules_of_author(), kNow, checks);
  EXPECT_EQ(platform.root_key, author().public_der());
  EXPECT_EQ(platform.measurements.size(), 3u);
  EXPECT_EQ(platform.issued_unix, kNow);
}

TEST(Driver, a_key_that_no_policy_names_is_refused_and_never_let_pass) {
  const std::string text = *endorse(good_endorsement(), author());
  EXPECT_EQ(outcome(text, {}), code::kKey.code);
  EXPECT_EQ(outcome(text, {.keys = {program("another")}, .required = true}), code::kKey.code);
  EXPECT_EQ(outcome(*endorse(good_endorsement(), *SigningKey::generate())), code::kKey.code);
}

TEST(Driver, one_that_is_not_valid_yet_or_not_any_more_is_refused) {
  const std::string text = *endorse(good_endorsement(), author());
  const auto at = [&](int64_t now) { return outcome(text, rules_of_author(), now); };
  EXPECT_EQ(at(kNow - 301), code::kValidity.code);
  EXPECT_EQ(at(kNow - 300), "accepted") << "clocks differ";
  EXPECT_EQ(at(kNow + kDay - 1), "accepted");
  EXPECT_EQ(at(kNow + kDay), code::kValidity.code);
}

TEST(Driver, another_kind_of_device_or_another_program_is_refused) {
  const std::string text = *endorse(good_endorsement(), author());
  for (const char* device : {"opencl:0", "npu2:0", "np:0", "", ":0", "NPU:0"})
    EXPECT_EQ(outcome(text, rules_of_author(), kNow, device), code::kDevice.code) << device;
  EXPECT_EQ(outcome(text, rules_of_author(), kNow, "npu:0", "another"), code::kProgram.code);
}

TEST(Driver, one_changed_character_anywhere_is_refused) {
  std::string text = *endorse(good_endorsement(), author());
  for (size_t i = 0; i < text.size(); ++i) {
    const char good = text[i];
    text[i] = good == 'A' ? 'B' : 'A';
    EXPECT_NE(outcome(text), "accepted") << i;
    text[i] = good;
  }
  EXPECT_EQ(outcome(text), "accepted");
}

TEST(Driver, what_is_cut_or_has_more_behind_it_is_refused) {
  const std::string text = *endorse(good_endorsement(), author());
  for (size_t size = 0; size + 1 < text.size(); size += 7)
    EXPECT_NE(outcome(text.substr(0, size)), "accepted") << size;
  for (const std::string_view more : {"\n", " ", "A", ".", ".e30", "\r\n"})
    EXPECT_EQ(outcome(text + std::string(more)), code::kForm.code) << more;
}

TEST(Driver, headers_of_another_algorithm_type_or_with_more_in_them_are_refused) {
  const auto header = [](auto bend) {
    Json json = good_header();
    bend(json);
    return outcome(with(json, good_payload()));
  };
  EXPECT_EQ(header([](Json&) {}), "accepted");
  for (const char* algorithm : {"none", "HS384", "ES256", "ES512", "es384", ""})
    EXPECT_EQ(header([&](Json& h) { h["alg"] = algorithm; }), code::kForm.code) << algorithm;
  EXPECT_EQ(header([](Json& h) { h["alg"] = 1; }), code::kForm.code);
  EXPECT_EQ(header([](Json& h) { h["typ"] = "JWT"; }), code::kForm.code);
  EXPECT_EQ(header([](Json& h) { h.erase("typ"); }), code::kForm.code);
  EXPECT_EQ(header([](Json& h) { h.erase("jwk"); }), code::kForm.code);
  EXPECT_EQ(header([](Json& h) { h["kid"] = "1"; }), code::kForm.code);
  EXPECT_EQ(header([](Json& h) { h["crit"] = {"exp"}; }), code::kForm.code);
  EXPECT_EQ(header([](Json& h) { h["jwk"]["d"] = "AA"; }), code::kForm.code);
  EXPECT_EQ(header([](Json& h) { h["jwk"]["crv"] = "P-256"; }), code::kForm.code);
  EXPECT_EQ(header([](Json& h) { std::swap(h["jwk"]["x"], h["jwk"]["y"]); }), code::kForm.code);
  const SigningKey other = *SigningKey::generate();
  EXPECT_EQ(header([&](Json& h) { h["jwk"] = jwk_of(other.public_der()); }), code::kSignature.code)
      << "a key that did not sign";
  const std::string unsigned_text =
      formatted("{}.{}.", to_base64url(bytes_of(std::string_view(R"({"alg":"none"})"))),
                to_base64url(bytes_of(std::string_view("{}"))));
  EXPECT_EQ(outcome(unsigned_text), code::kForm.code);
}

TEST(Driver, payloads_that_lack_something_or_have_more_are_refused) {
  const auto payload = [](auto bend) {
    Json json = good_payload();
    bend(json);
    return outcome(with(good_header(), json));
  };
  for (const char* key : {"iss", "iat", "exp", "device", "programs"})
    EXPECT_EQ(payload([&](Json& p) { p.erase(key); }), code::kForm.code) << key;
  EXPECT_EQ(payload([](Json& p) { p["nbf"] = 1; }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) { p["iss"] = "a\nb"; }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) { p["iss"] = std::string(129, 'a'); }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) { p["iat"] = -1; }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) { p["exp"] = kNow; }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) { p["exp"] = 1e300; }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) { p["programs"] = Json::array(); }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) { p["programs"] = {"ab"}; }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) { p["programs"] = to_hex(program("new")); }), code::kForm.code);
  EXPECT_EQ(payload([](Json& p) {
              p["programs"] = std::vector<std::string>(65, to_hex(program("new")));
            }),
            code::kForm.code);
}

TEST(Driver, endorses_nothing_that_no_verifier_would_read) {
  const auto refused = [](auto bend) {
    Endorsement said = good_endorsement();
    bend(said);
    return !endorse(said, author());
  };
  EXPECT_FALSE(refused([](Endorsement&) {}));
  EXPECT_TRUE(refused([](Endorsement& e) { e.issuer = ""; }));
  EXPECT_TRUE(refused([](Endorsement& e) { e.issuer = "\xff"; }));
  EXPECT_TRUE(refused([](Endorsement& e) { e.programs.clear(); }));
  EXPECT_TRUE(refused([](Endorsement& e) { e.expires_unix = e.issued_unix; }));
}

}  // namespace
}  // namespace casemate::verify::driver
