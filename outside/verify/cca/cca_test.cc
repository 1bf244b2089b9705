// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cca/cca.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/cca/codes.h"
#include "outside/verify/cca/testing/judged.h"

namespace casemate::verify::cca {
namespace {

using testing::bytes_item;
using testing::Judged;
using testing::number_item;
using testing::Realm;
using testing::text_item;

Judged judged(const Realm& realm, const Rules& rules) {
  return testing::judge(realm.token(), rules, realm.collateral());
}

// What happens when both sign something else.
std::string after(auto bend) {
  Realm realm;
  bend(realm);
  return judged(realm, realm.rules()).outcome();
}

std::string with_platform(int64_t claim, const CborWriter& value) {
  return after([&](Realm& realm) { Realm::set(realm.platform, claim, value); });
}
std::string with_realm(int64_t claim, const CborWriter& value) {
  return after([&](Realm& realm) { Realm::set(realm.realm, claim, value); });
}
std::vector<uint8_t> some(size_t size) { return std::vector<uint8_t>(size, 1); }

TEST(Cca, a_token_that_is_made_well_is_accepted) {
  const Realm realm;
  const Judged verdict = judged(realm, realm.rules());
  EXPECT_EQ(verdict.outcome(), "accepted") << text_of(verdict.verdict);
  EXPECT_EQ(verdict.platform.root_key, realm.platform_key.public_der());
  EXPECT_EQ(verdict.platform.report_data[0], 0x66);
  EXPECT_TRUE(looks_like(realm.token()));
  EXPECT_FALSE(looks_like({}));
  EXPECT_FALSE(looks_like(some(40)));
}

TEST(Cca, every_claim_that_has_to_be_there_is_asked_for) {
  const Realm whole;
  for (const auto& [claim, value] : whole.platform) {
    EXPECT_EQ(after([&](Realm& realm) { Realm::drop(realm.platform, claim); }),
              code::kPlatformForm.code)
        << claim;
  }
  for (const auto& [claim, value] : whole.realm) {
    EXPECT_EQ(after([&](Realm& realm) { Realm::drop(realm.realm, claim); }),
              claim == 265 ? "accepted" : code::kRealmForm.code)  // older realms have no profile
        << claim;
  }
}

TEST(Cca, a_claim_that_is_there_twice_is_refused) {
  for (const bool platform : {true, false}) {
    const Realm whole;
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(after([&](Realm& realm) {
                  auto& claims = platform ? realm.platform : realm.realm;
                  claims.push_back(claims[i]);
                }),
                platform ? code::kPlatformForm.code : code::kRealmForm.code);
    }
  }
}

TEST(Cca, claims_that_nobody_knows_mean_nothing) {
  CborWriter nested;
  nested.head(CborType::kArray, 2).integer(-5).head(CborType::kMap, 1).text("a").bytes(some(3));
  EXPECT_EQ(with_platform(-77777, nested), "accepted");
  EXPECT_EQ(with_realm(123456, nested), "accepted");
}

TEST(Cca, claims_of_other_types_and_sizes_are_refused) {
  for (const int64_t claim : {10, 256, 265, 2395, 2396, 2399, 2401, 2402}) {
    CborWriter map;
    map.head(CborType::kMap, 0);
    EXPECT_EQ(with_platform(claim, map), code::kPlatformForm.code) << claim;
    EXPECT_EQ(with_platform(claim, bytes_item(some(2000))), code::kPlatformForm.code) << claim;
  }
  for (const int64_t claim : {10, 265, 44235, 44236, 44237, 44238, 44239, 44240}) {
    CborWriter map;
    map.head(CborType::kMap, 0);
    EXPECT_EQ(with_realm(claim, map), code::kRealmForm.code) << claim;
    EXPECT_EQ(with_realm(claim, bytes_item(some(2000))), code::kRealmForm.code) << claim;
  }
  EXPECT_EQ(with_platform(256, bytes_item(std::vector<uint8_t>(33, 2))),
            code::kPlatformForm.code);  // an identity of another kind
  EXPECT_EQ(with_platform(2395, number_item(-1)), code::kPlatformForm.code);
  EXPECT_EQ(with_platform(2395, number_item(0x10000)), code::kPlatformForm.code);
  CborWriter three;
  three.head(CborType::kArray, 3).bytes(some(32)).bytes(some(32)).bytes(some(32));
  EXPECT_EQ(with_realm(44239, three), code::kRealmForm.code);
  CborWriter endless;
  endless.head(CborType::kArray, UINT64_MAX);
  EXPECT_EQ(with_platform(2399, endless), code::kPlatformForm.code);
}

TEST(Cca, profiles_that_nobody_knows_are_refused) {
  EXPECT_EQ(with_platform(265, text_item("http://arm.com/CCA-SSD/1.0.0")), "accepted");
  EXPECT_EQ(with_platform(265, text_item("http://arm.com/CCA-SSD/2.0.0")),
            code::kPlatformForm.code);
  EXPECT_EQ(with_realm(265, text_item("tag:arm.com,2023:realm#2.0.0")), code::kRealmForm.code);
}

TEST(Cca, each_state_of_the_lifecycle_but_secured_is_refused) {
  const auto in_state = [](uint32_t state, bool debug_allowed) {
    Realm realm;
    Realm::set(realm.platform, 2395, number_item(state));
    Rules rules = realm.rules();
    rules.insecure_allow_debug = debug_allowed;
    return judged(realm, rules);
  };
  for (uint32_t state = 0; state < 0x10000; state += 0x1000) {
    const bool debug = state == 0x4000 || state == 0x5000;
    for (const uint32_t low : {0u, 0xffu}) {
      EXPECT_EQ(in_state(state + low, false).outcome(),
                state == 0x3000 ? "accepted" : code::kLifecycle.code);
      EXPECT_EQ(in_state(state + low, true).outcome(),
                state == 0x3000 || debug ? "accepted" : code::kLifecycle.code);
    }
    EXPECT_EQ(in_state(state, false).platform.debug, debug);
  }
  EXPECT_EQ(in_state(0x3100, true).outcome(), code::kLifecycle.code);
}

TEST(Cca, the_platform_vouches_for_the_realms_key_by_any_of_three_hashes) {
  for (const std::string_view hash : {"sha-256", "sha-384", "sha-512"}) {
    EXPECT_EQ(after([&](Realm& realm) {
                Realm::set(realm.realm, 44240, text_item(hash));
                realm.bind();
              }),
              "accepted");
  }
  EXPECT_EQ(with_realm(44240, text_item("sha-512")), code::kBinder.code);
  EXPECT_EQ(with_realm(44240, text_item("sha-1")), code::kBinder.code);
  EXPECT_EQ(with_platform(10, bytes_item(some(32))), code::kBinder.code);
}

TEST(Cca, a_realm_that_is_pieced_to_another_platform_is_refused) {
  const Realm one;
  const Realm other;
  const auto token = testing::token_of(testing::encode(one.platform), one.platform_key,
                                       testing::encode(other.realm), other.realm_key);
  EXPECT_EQ(testing::judge(token, one.rules(), one.collateral()).outcome(), code::kBinder.code);
}

TEST(Cca, a_realm_is_signed_by_the_key_that_it_names) {
  const Realm realm;
  const Realm other;
  const auto token = testing::token_of(testing::encode(realm.platform), realm.platform_key,
                                       testing::encode(realm.realm), other.realm_key);
  EXPECT_EQ(testing::judge(token, realm.rules(), realm.collateral()).outcome(),
            code::kRealmSignature.code);
}

TEST(Cca, a_realms_key_is_a_point_or_a_key_in_cbor) {
  const auto with_key = [](auto make) {
    return after([&](Realm& realm) {
      Realm::set(realm.realm, 44237, bytes_item(make(testing::point_of(realm.realm_key))));
      realm.bind();
    });
  };
  const auto map = [](Bytes point, int64_t type, int64_t curve, size_t size) {
    CborWriter key;
    key.head(CborType::kMap, 5).integer(1).integer(type).integer(-1).integer(curve);
    key.integer(-2).bytes(point.subspan(1, size)).integer(-3).bytes(point.subspan(49, size));
    key.integer(-77).text("what nobody knows");
    return key.written();
  };
  EXPECT_EQ(with_key([&](Bytes point) { return map(point, 2, 2, 48); }), "accepted");
  EXPECT_EQ(with_key([&](Bytes point) { return map(point, 1, 2, 48); }),
            code::kRealmSignature.code);
  EXPECT_EQ(with_key([&](Bytes point) { return map(point, 2, 1, 48); }),
            code::kRealmSignature.code);
  EXPECT_EQ(with_key([&](Bytes point) { return map(point, 2, 9, 48); }),
            code::kRealmSignature.code);
  EXPECT_EQ(with_key([&](Bytes point) { return map(point, 2, 2, 47); }),
            code::kRealmSignature.code);
  EXPECT_EQ(with_key([](Bytes) { return std::vector<uint8_t>(97, 4); }),
            code::kRealmSignature.code);
  EXPECT_EQ(
      with_key([](Bytes point) { return std::vector<uint8_t>(point.begin(), point.end() - 1); }),
      code::kRealmSignature.code);
}

TEST(Cca, a_key_counts_for_the_platform_that_its_owner_names) {
  const Realm realm;
  const auto with_identity = [&](std::string_view instance) {
    Collateral collateral;
    const std::string text = formatted(R"([{{"instance-id": {}, "pkey": {}}}])", instance,
                                       testing::jwk_of(realm.platform_key));
    EXPECT_TRUE(collateral.add("anchors.json", bytes_of(std::string_view(text))));
    return testing::judge(realm.token(), realm.rules(), collateral).outcome();
  };
  const std::string own = "01" + to_hex(std::vector<uint8_t>(32, 0x33));
  EXPECT_EQ(with_identity(formatted("\"{}\"", own)), "accepted");
  EXPECT_EQ(with_identity(formatted("\"{}00\"", own)), code::kIdentity.code);
  EXPECT_EQ(with_identity("\"\""), code::kIdentity.code);
  EXPECT_EQ(with_identity("7"), code::kIdentity.code);
}

TEST(Cca, the_right_key_is_found_among_others) {
  const Realm realm;
  const Realm other;
  Collateral collateral;
  const std::string set =
      formatted(R"({{"keys": [{}, {{"kty": "RSA"}}, 7, {}]}})", testing::jwk_of(other.platform_key),
                testing::jwk_of(realm.platform_key));
  ASSERT_TRUE(collateral.add("keys.json", bytes_of(std::string_view(set))));
  ASSERT_TRUE(collateral.add("broken.json", bytes_of(std::string_view("{\"kty\": "))));
  EXPECT_EQ(testing::judge(realm.token(), realm.rules(), collateral).outcome(), "accepted");
  EXPECT_EQ(testing::judge(realm.token(), other.rules(), collateral).outcome(), code::kRoot.code);
}

TEST(Cca, parts_of_a_token_that_nobody_knows_or_that_are_doubled_are_refused) {
  const Realm realm;
  const auto platform = *make_sign1(testing::encode(realm.platform), realm.platform_key);
  const auto token = [&](std::initializer_list<int64_t> parts) {
    CborWriter writer;
    writer.head(CborType::kTag, 399).head(CborType::kMap, parts.size());
    for (const int64_t part : parts) writer.integer(part).bytes(platform);
    return testing::judge(writer.written(), realm.rules(), realm.collateral()).outcome();
  };
  EXPECT_EQ(token({44234}), code::kForm.code);
  EXPECT_EQ(token({44241}), code::kForm.code);
  EXPECT_EQ(token({44234, 44234}), code::kForm.code);
  EXPECT_EQ(token({44234, 44241, 44241}), code::kForm.code);
  EXPECT_EQ(token({44234, 44241, 5}), code::kForm.code);
  EXPECT_EQ(token({}), code::kForm.code);
  EXPECT_EQ(token({44234, 44241}), code::kRealmForm.code);  // a platform's claims are no realm's
}

TEST(Cca, measured_values_are_those_of_the_policy) {
  const Realm realm;
  const auto pinned = [&](auto member, std::vector<uint8_t> value) {
    Rules rules = realm.rules();
    member(rules) = {std::vector<uint8_t>(value.size(), 0xee), value};
    EXPECT_EQ(judged(realm, rules).outcome(), "accepted");
    value.back() ^= 1;
    member(rules) = {value};
    return judged(realm, rules).outcome();
  };
  const auto filled = [](size_t size, uint8_t byte) { return std::vector<uint8_t>(size, byte); };
  auto instance = filled(33, 0x33);
  instance[0] = 1;
  EXPECT_EQ(pinned([](Rules& r) -> auto& { return r.instance_id; }, instance),
            "cca.measurement instance_id");
  EXPECT_EQ(pinned([](Rules& r) -> auto& { return r.implementation_id; }, filled(32, 0x44)),
            "cca.measurement implementation_id");
  EXPECT_EQ(pinned([](Rules& r) -> auto& { return r.configuration; }, filled(4, 0x55)),
            "cca.measurement configuration");
  EXPECT_EQ(pinned([](Rules& r) -> auto& { return r.personalization; }, filled(64, 0x77)),
            "cca.measurement personalization");
  EXPECT_EQ(pinned([](Rules& r) -> auto& { return r.initial_measurement; }, filled(32, 0x88)),
            "cca.measurement initial_measurement");
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(pinned([i](Rules& r) -> auto& { return r.extensible_measurements[i]; },
                     filled(32, static_cast<uint8_t>(0x60 + i))),
              formatted("cca.measurement rem{}", i));
  }
}

TEST(Cca, what_follows_from_a_broken_link_is_not_run) {
  Realm realm;
  Realm::set(realm.platform, 10, bytes_item(some(32)));
  bool behind = false;
  for (const Check& check : judged(realm, realm.rules()).verdict.checks) {
    if (behind) {
      EXPECT_EQ(check.outcome, Outcome::kNotRun) << check.code;
    }
    behind = behind || check.code == code::kBinder.code;
  }
  EXPECT_TRUE(behind);
}

TEST(CcaRules, are_written_as_they_are_read_and_wrong_ones_are_refused_by_key) {
  const auto parse = [](std::string_view text) -> Result<Rules> {
    const auto json = TRY(parse_json(text, "the policy"));
    JsonObject object = TRY(JsonObject::of(json, "cca"));
    return parse_rules(object);
  };
  const Realm realm;
  const auto rules = parse(formatted(
      R"({{"anchors": ["{}", {}], "rem2": ["00ff"], "insecure_allow_debug": true,
          "reference_values": {{"platform": [{{"implementation-id": "AA", "sw-components": [
            {{"measurement-value": "01", "signer-id": "02"}}]}}],
            "realm": [{{"initial-measurement": "03", "rak-hash-algorithm": "sha-256"}}]}}}})",
      to_hex(sha384({})), testing::jwk_of(realm.platform_key)));
  ASSERT_TRUE(rules) << rules.error().text;
  EXPECT_EQ(rules->anchors.size() + rules->anchor_keys.size(), 2u);
  EXPECT_EQ(rules->reference_platforms.at(0).components.size(), 1u);
  const std::string text = rules_json(*rules).dump();
  const auto again = parse(text);
  ASSERT_TRUE(again) << again.error().text << text;
  EXPECT_EQ(rules_json(*again).dump(), text);
  for (const std::string_view wrong :
       {R"({"anchors": ["00"]})", R"({"anchors": [{"kty": "RSA"}]})", R"({"anchors": {}})",
        R"({"anchors": [{"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}]})", R"({"rem4": []})",
        R"({"instance_id": ["00"]})", R"({"reference_values": []})",
        R"({"reference_values": {"platform": [{"typo": 1}]}})",
        R"({"reference_values": {"platform": [{"sw-components": [{"version": "1"}]}]}})",
        R"({"reference_values": {"realm": [{"extensible-measurements": ["00"]}]}})",
        R"({"reference_values": {"realm": [{"initial-measurement": "zz"}]}})"}) {
    EXPECT_FALSE(parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace casemate::verify::cca
