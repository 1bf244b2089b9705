// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/decode.h"

#include <gtest/gtest.h>

#include "outside/verdict/cbor.h"
#include "outside/verify/testing/signer.h"

namespace casemate::verify {
namespace {

using testing::Signer;
using Buffer = std::vector<uint8_t>;

Buffer good_evidence() {
  Signer signer;
  signer.add_model("digits");
  signer.sign();
  return signer.evidence();
}

Buffer operator+(Buffer left, const Buffer& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Buffer said_by(std::string_view text) { return {text.begin(), text.end()}; }

std::string refusal(const auto& result) { return result ? "accepted" : result.error().text; }

TEST(Decode, evidence_comes_back_as_it_was_encoded) {
  Signer signer;
  signer.add_model("digits");
  signer.sign();
  const Buffer bytes = signer.evidence();
  const auto evidence = decode_evidence(bytes);
  ASSERT_TRUE(evidence) << evidence.error().text;
  EXPECT_EQ(to_hex(evidence->quote), to_hex(signer.whole_quote()));
  EXPECT_EQ(to_hex(evidence->claims), to_hex(signer.claims));
  ASSERT_EQ(evidence->tokens.size(), 2u);
  EXPECT_EQ(evidence->tokens[1].name.view(), "digits");
  EXPECT_EQ(encode_evidence(evidence->quote, evidence->claims, evidence->tokens), bytes);
}

TEST(Decode, evidence_cut_at_any_byte_is_refused) {
  const Buffer bytes = good_evidence();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_evidence(Bytes(bytes).first(size))) << size;
}

TEST(Decode, trailing_bytes_are_refused) {
  EXPECT_NE(refusal(decode_evidence(good_evidence() + Buffer{0})).find("1 bytes follow"),
            std::string::npos);
}

TEST(Decode, evidence_over_the_limit_is_refused_unread) {
  const auto evidence = decode_evidence(Buffer(kProofBytes + 1));
  ASSERT_FALSE(evidence);
  EXPECT_EQ(evidence.error().code, Code::kTooLarge);
}

TEST(Decode, an_inner_length_beyond_the_outer_one_is_refused) {
  // Tag, array of 2, then a quote that says it has 4 GiB.
  const Buffer head = {0xD9, 0xEA, 0x60, 0x82};
  EXPECT_NE(refusal(decode_evidence(head + Buffer{0x5A, 0xFF, 0xFF, 0xFF, 0xFF})).find("only 0"),
            std::string::npos);
  const Buffer huge = {0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
  EXPECT_NE(refusal(decode_evidence(head + huge)).find("only 0"), std::string::npos);
}

TEST(Decode, more_tokens_than_bytes_are_refused_before_memory_is_taken) {
  const Buffer many = {0xD9, 0xEA, 0x60, 0x82, 0x40, 0x40, 0x9A, 0xFF, 0xFF, 0xFF, 0xFF};
  EXPECT_NE(refusal(decode_evidence(many)).find("more than fit"), std::string::npos);
}

TEST(Decode, another_tag_or_shape_is_refused) {
  Buffer bytes = good_evidence();
  bytes[2] ^= 1;
  EXPECT_NE(refusal(decode_evidence(bytes)).find("tag"), std::string::npos);
  bytes = good_evidence();
  bytes[3] = 0x83;
  EXPECT_NE(refusal(decode_evidence(bytes)).find("[quote, claims]"), std::string::npos);
  bytes[3] = 0xA2;
  EXPECT_NE(refusal(decode_evidence(bytes)).find("is a map"), std::string::npos);
}

TEST(Decode, a_token_of_another_size_is_refused) {
  const Buffer bytes = {0xD9, 0xEA, 0x60, 0x82, 0x40, 0x40, 0x81, 0x41, 0x00};
  EXPECT_FALSE(decode_evidence(bytes));
  Buffer padded = bytes + Buffer(sizeof(EnclaveToken));
  EXPECT_NE(refusal(decode_evidence(padded)).find("token 0 has 1 bytes"), std::string::npos);
}

TEST(Decode, only_the_shortest_spelling_of_a_length_is_taken) {
  const Buffer head = {0xD9, 0xEA, 0x60, 0x82};
  const Buffer rest = {0x40, 0x80};  // empty claims, no tokens
  EXPECT_TRUE(decode_evidence(head + Buffer{0x40} + rest));
  for (const Buffer& empty : {Buffer{0x58, 0x00}, Buffer{0x59, 0x00, 0x00},
                              Buffer{0x5A, 0, 0, 0, 0}, Buffer{0x5B, 0, 0, 0, 0, 0, 0, 0, 0}}) {
    EXPECT_NE(refusal(decode_evidence(head + empty + rest)).find("shortest"), std::string::npos);
  }
  for (const uint8_t reserved : Buffer{0x5C, 0x5D, 0x5E, 0x5F}) {
    EXPECT_NE(refusal(decode_evidence(head + Buffer{reserved, 0xFF} + rest)).find("indefinite"),
              std::string::npos);
  }
}

TEST(Decode, every_head_size_is_read_and_its_least_value_kept) {
  const auto read = [](const Buffer& bytes) -> uint64_t {
    const auto value = CborReader(bytes).head(CborType::kUnsigned, "n");
    return value ? *value : 0;
  };
  EXPECT_EQ(read({0x17}), 23u);
  EXPECT_EQ(read({0x18, 24}), 24u);
  EXPECT_EQ(read({0x19, 1, 0}), 256u);
  EXPECT_EQ(read({0x1A, 0, 1, 0, 0}), 65536u);
  EXPECT_EQ(read({0x1B, 0, 0, 0, 1, 0, 0, 0, 0}), uint64_t{1} << 32);
}

// A leader and three devices, of which the last shows what the first does.
Signer three_devices() {
  Signer signer;
  signer.add_model("digits");
  for (const auto& [name, said] : {std::pair("a", "one"), {"b", "two"}, {"c", "one"}})
    signer.add_device(name, "npu:0").device_evidence = testing::digest_of(said);
  for (const std::string_view said : {"one", "two"}) signer.devices.push_back(said_by(said));
  return signer;
}

std::string devices_refused(const Signer& signer) {
  const Buffer bytes = signer.evidence();
  const auto evidence = decode_evidence(bytes);
  if (!evidence) return evidence.error().text;
  const Status checked = check_devices(*evidence);
  return checked ? "accepted" : checked.error().text;
}

TEST(DecodeDevices, what_they_say_comes_back_once_in_the_order_of_tokens) {
  const Signer signer = three_devices();
  const Buffer bytes = signer.evidence();
  const auto evidence = decode_evidence(bytes);
  ASSERT_TRUE(evidence) << evidence.error().text;
  ASSERT_EQ(evidence->devices.size(), 2u);
  EXPECT_EQ(text_of(evidence->devices[1]), "two");
  EXPECT_TRUE(check_devices(*evidence));
  EXPECT_EQ(encode_evidence(evidence->quote, evidence->claims, evidence->tokens, evidence->devices),
            bytes);
  EXPECT_EQ(refusal(check_devices(*decode_evidence(good_evidence()))), "accepted") << "none at all";
}

TEST(DecodeDevices, evidence_cut_at_any_byte_is_refused) {
  const Signer signer = three_devices();
  const Buffer bytes = signer.evidence();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto evidence = decode_evidence(Bytes(bytes).first(size));
    EXPECT_FALSE(evidence && check_devices(*evidence)) << size;
  }
  EXPECT_FALSE(decode_evidence(bytes + Buffer{0}));
  EXPECT_FALSE(decode_evidence(bytes + Buffer{0x80})) << "a list behind the list";
}

TEST(DecodeDevices, one_that_is_missing_extra_twice_swapped_or_another_is_refused) {
  const auto after = [](auto bend) {
    Signer signer = three_devices();
    bend(signer);
    return devices_refused(signer);
  };
  EXPECT_EQ(after([](Signer&) {}), "accepted");
  EXPECT_EQ(after([](Signer& s) { s.devices.pop_back(); }),
            "what 1 devices say is there, and tokens name 2");
  EXPECT_EQ(after([](Signer& s) { s.devices.clear(); }),
            "what 0 devices say is there, and tokens name 2");
  EXPECT_EQ(after([](Signer& s) { s.devices.push_back(said_by("three")); }),
            "what 3 devices say is there, and tokens name 2");
  EXPECT_EQ(after([](Signer& s) { s.devices.push_back(s.devices[0]); }),
            "what 3 devices say is there, and tokens name 2");
  EXPECT_TRUE(after([](Signer& s) { s.devices[1] = s.devices[0]; }).starts_with("in place 1 "));
  EXPECT_TRUE(
      after([](Signer& s) { std::swap(s.devices[0], s.devices[1]); }).starts_with("in place 0 "));
  EXPECT_TRUE(after([](Signer& s) { s.devices[1][0] ^= 1; }).starts_with("in place 1 "));
  EXPECT_TRUE(after([](Signer& s) {
                s.tokens[3].device_evidence = {};
              }).starts_with("what 2 devices say is there, and tokens name 1"));
}

TEST(DecodeDevices, an_empty_list_an_empty_item_one_too_large_or_more_than_tokens_are_refused) {
  EXPECT_NE(refusal(decode_evidence(good_evidence() + Buffer{0x80})).find("announces what 0"),
            std::string::npos);
  EXPECT_NE(refusal(decode_evidence(good_evidence() + Buffer{0x81, 0x40})).find("has 0 bytes"),
            std::string::npos);
  EXPECT_NE(refusal(decode_evidence(good_evidence() + Buffer{0x83})).find("announces what 3"),
            std::string::npos);
  EXPECT_NE(refusal(decode_evidence(good_evidence() +
                                    Buffer{0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}))
                .find("announces what"),
            std::string::npos);
  Signer signer = three_devices();
  signer.devices[0].assign(kDeviceEvidenceBytes, 'e');
  signer.tokens[2].device_evidence = signer.tokens[4].device_evidence = sha384(signer.devices[0]);
  EXPECT_EQ(devices_refused(signer), "accepted");
  signer.devices[0].push_back('e');
  EXPECT_NE(devices_refused(signer).find("has 32769 bytes"), std::string::npos);
}

const Buffer kHash = Buffer{0x58, 0x24, 0x82, 0x01, 0x58, 0x20} + Buffer(32, 7);
const Buffer kHashName =
    Buffer{0x6B} + Buffer{'p', 'u', 'b', 'k', 'e', 'y', '-', 'h', 'a', 's', 'h'};
const Buffer kKeyName = [] {
  const std::string_view name = "casemate-monitor-key";
  return Buffer{0x74} + Buffer(name.begin(), name.end());
}();
const Buffer kKey = {0x43, 1, 2, 3};
// The name and 48 bytes.
const Buffer kPlatform = [] {
  const std::string_view name = "casemate-platform";
  return Buffer{0x71} + Buffer(name.begin(), name.end()) + Buffer{0x58, 0x30} + Buffer(48, 9);
}();

TEST(Claims, the_three_known_claims_are_read) {
  const Buffer bytes = Buffer{0xA3} + kHashName + kHash + kPlatform + kKeyName + kKey;
  const auto claims = decode_claims(bytes);
  ASSERT_TRUE(claims) << claims.error().text;
  EXPECT_EQ(claims->key_hash[31], 7);
  EXPECT_EQ(claims->platform[47], 9);
  EXPECT_EQ(to_hex(claims->monitor_key), "010203");
}

TEST(Claims, claims_cut_at_any_byte_are_refused) {
  const Buffer bytes = Buffer{0xA3} + kHashName + kHash + kPlatform + kKeyName + kKey;
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_claims(Bytes(bytes).first(size))) << size;
}

TEST(Claims, a_claim_that_is_twice_there_unknown_or_missing_is_named) {
  const Buffer hash = kHashName + kHash;
  const Buffer key = kKeyName + kKey;
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA4} + hash + hash + kPlatform + key)),
            "claim \"pubkey-hash\" is there twice, or beside another key's");
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA4} + hash + kPlatform + kPlatform + key)),
            "claim \"casemate-platform\" is there twice");
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA4} + hash + kPlatform + key + key)),
            "claim \"casemate-monitor-key\" is there twice");
  const Buffer nonce = Buffer{0x65, 'n', 'o', 'n', 'c', 'e', 0x40};
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA4} + nonce + hash + kPlatform + key)),
            "claim \"nonce\" is not known to this build");
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA2} + hash + kPlatform)),
            "claim \"casemate-monitor-key\" is missing");
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA2} + kPlatform + key)),
            "claim \"pubkey-hash\" is missing");
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA2} + hash + key)),
            "claim \"casemate-platform\" is missing");
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA0})), "claim \"pubkey-hash\" is missing");
}

TEST(Claims, a_key_is_for_one_use_alone) {
  const std::string_view name = "casemate-hpke-key";
  const Buffer hpke = Buffer{0x71} + Buffer(name.begin(), name.end()) + kHash;
  const Buffer behind = kPlatform + kKeyName + kKey;
  const auto claims = decode_claims(Buffer{0xA3} + hpke + behind);
  ASSERT_TRUE(claims) << claims.error().text;
  EXPECT_EQ(claims->use, KeyUse::kHpke);
  EXPECT_EQ(decode_claims(Buffer{0xA3} + kHashName + kHash + behind)->use, KeyUse::kTls);
  EXPECT_EQ(refusal(decode_claims(Buffer{0xA4} + kHashName + kHash + hpke + behind)),
            "claim \"casemate-hpke-key\" is there twice, or beside another key's");
}

TEST(Claims, another_order_is_refused) {
  const Buffer bytes = Buffer{0xA3} + kKeyName + kKey + kPlatform + kHashName + kHash;
  EXPECT_NE(refusal(decode_claims(bytes)).find("order"), std::string::npos);
}

TEST(Claims, a_platform_of_another_length_is_refused) {
  Buffer bytes = Buffer{0xA3} + kHashName + kHash + kPlatform;
  bytes[bytes.size() - 49] = 0x2F;
  bytes.pop_back();
  EXPECT_NE(refusal(decode_claims(bytes + kKeyName + kKey)).find("has 47 bytes instead of 48"),
            std::string::npos);
}

TEST(Claims, another_hash_algorithm_or_length_is_refused) {
  const auto with = [](const Buffer& hash) {
    return refusal(decode_claims(Buffer{0xA3} + kHashName + hash + kPlatform + kKeyName + kKey));
  };
  EXPECT_NE(with(Buffer{0x58, 0x24, 0x82, 0x07, 0x58, 0x20} + Buffer(32)).find("algorithm 7"),
            std::string::npos);
  EXPECT_NE(with(Buffer{0x58, 0x23, 0x82, 0x01, 0x58, 0x1F} + Buffer(31)).find("31 bytes"),
            std::string::npos);
  EXPECT_NE(with(Buffer{0x58, 0x25, 0x82, 0x01, 0x58, 0x20} + Buffer(33)).find("1 bytes follow"),
            std::string::npos);
  EXPECT_NE(with(Buffer{0x43, 0x83, 0x01, 0x40}).find("[algorithm, hash]"), std::string::npos);
}

}  // namespace
}  // namespace casemate::verify
