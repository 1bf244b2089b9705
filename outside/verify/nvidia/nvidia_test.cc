// SPDX-License-Identifier: Apache-2.0
// Transcripts of the real layout that a made-up device signs: no evidence of a real one was at
// hand.
#include "outside/verify/nvidia/nvidia.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/nvidia/codes.h"
#include "outside/verify/nvidia/testing/gpu.h"

namespace casemate::verify::nvidia {
namespace {

using testing::block_of;
using testing::Gpu;
using testing::kNow;
using testing::opaque_field;

struct Judged {
  Verdict verdict;
  Platform platform;
  [[nodiscard]] std::string outcome() const {
    const Check* failure = verdict.first_failure();
    if (failure == nullptr) return "accepted";
    EXPECT_FALSE(failure->expected.empty() || failure->actual.empty()) << failure->code;
    return std::string(failure->code) + (failure->subject.empty() ? "" : " " + failure->subject);
  }
};

Judged judged(Bytes evidence, const Rules& rules, const Collateral& collateral,
              int64_t now = kNow) {
  Judged judged;
  Checks checks(judged.verdict);
  judged.platform = appraise(evidence, rules, collateral, now, checks);
  return judged;
}

std::string outcome(const Gpu& gpu, const Rules& rules) {
  return judged(gpu.evidence(), rules, gpu.collateral()).outcome();
}

std::string after(auto bend) {
  Gpu gpu;
  bend(gpu);
  return outcome(gpu, gpu.rules());
}

std::string ruled_by(auto bend) {
  const Gpu gpu;
  Rules rules = gpu.rules();
  bend(rules);
  return outcome(gpu, rules);
}

TEST(Nvidia, a_gpu_that_answers_well_is_accepted) {
  const Gpu gpu;
  const auto evidence = gpu.evidence();
  EXPECT_EQ(gpu.blocks.front().size(), 55u);
  const Judged verdict = judged(evidence, gpu.rules(), gpu.collateral());
  EXPECT_EQ(verdict.outcome(), "accepted") << text_of(verdict.verdict);
  EXPECT_EQ(verdict.platform.report_data[0], 0xa0);  // of the request
  EXPECT_EQ(verdict.platform.report_data[32], 0);
  EXPECT_EQ(verdict.platform.root_key, gpu.keys.front().public_der());
  EXPECT_TRUE(looks_like(evidence));
  EXPECT_FALSE(looks_like({}));
}

TEST(Nvidia, evidence_comes_as_binary_or_as_hexadecimal_text) {
  const Gpu gpu;
  const auto evidence = gpu.evidence();
  const auto given = [&](std::string_view text) {
    return judged(bytes_of(text), gpu.rules(), gpu.collateral()).outcome();
  };
  EXPECT_EQ(given(to_hex(evidence)), "accepted");
  EXPECT_EQ(given(to_hex(evidence) + "\n"), "accepted");
  EXPECT_EQ(given(to_hex(evidence) + "0\n"), code::kForm.code);
  EXPECT_EQ(given(to_hex(evidence) + "00"), code::kForm.code);
  EXPECT_TRUE(looks_like(bytes_of(std::string_view("11e0"))));
  for (size_t size = 0; size < evidence.size(); size += 17)
    EXPECT_EQ(judged(Bytes(evidence).first(size), gpu.rules(), gpu.collateral()).outcome(),
              code::kForm.code);
}

TEST(Nvidia, one_bent_bit_anywhere_is_refused) {
  const Gpu gpu;
  const Rules rules = gpu.rules();
  Collateral leaf_first;  // one key to try
  const Collateral all = gpu.collateral();
  auto evidence = gpu.evidence();
  for (size_t i = 0; i < evidence.size(); ++i) {
    evidence[i] ^= static_cast<uint8_t>(1 << i % 8);
    leaf_first = {};
    leaf_first.add(all.certificates().back());
    EXPECT_NE(judged(evidence, rules, leaf_first).outcome(), code::kChain.code) << i;
    evidence[i] ^= static_cast<uint8_t>(1 << i % 8);
  }
  EXPECT_EQ(judged(evidence, rules, leaf_first).outcome(), code::kChain.code);  // signed well
}

TEST(Nvidia, blocks_are_laid_out_as_they_say) {
  const std::vector<uint8_t> value(48, 9);
  EXPECT_EQ(after([&](Gpu& gpu) { gpu.blocks[3][1] = 2; }), code::kForm.code);
  EXPECT_EQ(after([&](Gpu& gpu) { gpu.blocks[3][2] -= 1; }), code::kForm.code);
  EXPECT_EQ(after([&](Gpu& gpu) { gpu.blocks[3][5] += 1; }), code::kForm.code);
  EXPECT_EQ(after([&](Gpu& gpu) { gpu.blocks[3][6] = 0xff; }), code::kForm.code);
  EXPECT_EQ(after([&](Gpu& gpu) { gpu.blocks[63].push_back(0); }), code::kForm.code);
  EXPECT_EQ(after([&](Gpu& gpu) { gpu.blocks[3] = block_of(3, value); }),
            code::kForm.code);  // twice
  EXPECT_EQ(after([&](Gpu& gpu) { gpu.blocks[3] = block_of(4, {}); }), code::kForm.code);
  EXPECT_EQ(after([&](Gpu& gpu) { gpu.blocks.pop_back(); }), code::kDevice.code);
}

TEST(Nvidia, opaque_fields_are_whole_and_there_once) {
  const auto with = [](std::vector<uint8_t> more) {
    return after([&](Gpu& gpu) { gpu.opaque.insert(gpu.opaque.end(), more.begin(), more.end()); });
  };
  EXPECT_EQ(with(opaque_field(77, std::vector<uint8_t>(5))), "accepted");
  EXPECT_EQ(with({1}), code::kForm.code);
  EXPECT_EQ(with({1, 0, 9, 0, 1}), code::kForm.code);
  EXPECT_EQ(with(opaque_field(3, bytes_of(std::string_view("1")))), code::kForm.code);
  EXPECT_EQ(with(opaque_field(20, std::vector<uint8_t>(48))), code::kForm.code);
}

TEST(Nvidia, other_exchanges_and_unsigned_ones_are_refused) {
  EXPECT_EQ(after([](Gpu& gpu) { gpu.request[0] = 0x12; }), code::kForm.code);
  EXPECT_EQ(after([](Gpu& gpu) { gpu.request[1] = 0xe1; }), code::kForm.code);
  EXPECT_EQ(after([](Gpu& gpu) { gpu.request[2] = 0; }), code::kForm.code);
  EXPECT_EQ(after([](Gpu& gpu) { gpu.request[36] = 8; }), code::kForm.code);
  EXPECT_EQ(after([](Gpu& gpu) { gpu.response[1] = 0x61; }), code::kForm.code);
}

TEST(Nvidia, the_nonce_that_counts_is_the_requests) {
  EXPECT_EQ(ruled_by([](Rules& rules) { rules.nonce = {std::vector<uint8_t>(32, 0xa0)}; }),
            "accepted");
  EXPECT_EQ(ruled_by([](Rules& rules) { rules.nonce = {std::vector<uint8_t>(32, 0xb0)}; }),
            code::kNonce.code);  // the device's own
}

TEST(Nvidia, a_chain_ends_at_a_root_of_the_policy_and_has_its_length) {
  const Gpu gpu;
  EXPECT_EQ(outcome(gpu, Rules{}), code::kChain.code);
  EXPECT_EQ(outcome(gpu, Gpu().rules()), code::kChain.code);
  // An authority in the middle is no root, however short the chain may be.
  Rules rules = gpu.rules();
  rules.roots = {sha384(gpu.keys[2].public_der())};
  EXPECT_EQ(outcome(gpu, rules), code::kChain.code);
  rules.chain_length = 3;
  EXPECT_EQ(outcome(gpu, rules), code::kChain.code);
  rules.roots = gpu.rules().roots;
  EXPECT_EQ(outcome(gpu, rules), code::kChain.code);  // too long
  Collateral broken;
  const Collateral all = gpu.collateral();
  for (const X509Certificate& certificate : all.certificates()) {
    if (certificate.subject() != "CN=authority 2") broken.add(certificate);
  }
  EXPECT_EQ(judged(gpu.evidence(), gpu.rules(), broken).outcome(), code::kChain.code);
  EXPECT_EQ(judged(gpu.evidence(), gpu.rules(), {}).outcome(), code::kSignature.code);
  EXPECT_EQ(judged(gpu.evidence(), gpu.rules(), Gpu().collateral()).outcome(),
            code::kSignature.code);
}

TEST(Nvidia, certificates_may_be_valid_until_the_end_of_time_and_count_from_their_beginning) {
  const Gpu gpu;
  const auto at = [&](int64_t now) {
    return judged(gpu.evidence(), gpu.rules(), gpu.collateral(), now).outcome();
  };
  EXPECT_EQ(at(253'402'300'799), "accepted");
  EXPECT_EQ(at(1'700'000'000), "accepted");
  EXPECT_EQ(at(1'699'999'999), code::kValidity.code);
}

TEST(Nvidia, a_revoked_certificate_is_refused) {
  const Gpu gpu;
  const auto with = [&](std::vector<long> serials, bool required) {
    Collateral collateral = gpu.collateral();
    for (size_t i = 0; i + 1 < gpu.keys.size(); ++i) {
      EXPECT_TRUE(collateral.add(
          "", verify::testing::issue_crl(gpu.certificates[i].name, gpu.keys[i], serials)));
    }
    Rules rules = gpu.rules();
    rules.require_crl = required;
    return judged(gpu.evidence(), rules, collateral).outcome();
  };
  EXPECT_EQ(ruled_by([](Rules& rules) { rules.require_crl = true; }), code::kRevocation.code);
  EXPECT_EQ(with({77}, true), "accepted");
  for (const long serial : {1, 2, 3, 4}) EXPECT_EQ(with({serial}, false), code::kRevocation.code);
}

TEST(Nvidia, what_to_do_about_revocation_depends_on_what_is_wrong) {
  const Gpu gpu;
  const auto told = [&](std::vector<long> serials, int64_t until) {
    Collateral collateral = gpu.collateral();
    for (size_t i = 0; until > 0 && i + 1 < gpu.keys.size(); ++i) {
      EXPECT_TRUE(
          collateral.add("", verify::testing::issue_crl(gpu.certificates[i].name, gpu.keys[i],
                                                        serials, 1'700'000'000, until)));
    }
    Rules rules = gpu.rules();
    rules.require_crl = true;
    return std::string(judged(gpu.evidence(), rules, collateral).verdict.next());
  };
  EXPECT_TRUE(told({}, 0).starts_with("add the revocation lists"));
  EXPECT_TRUE(told({}, 1'700'000'001).starts_with("compare the clock"));
  EXPECT_TRUE(told({1}, 2'000'000'000).starts_with("do not use this device"));
}

TEST(Nvidia, the_certificate_is_for_the_firmware_that_runs) {
  EXPECT_EQ(after([](Gpu& gpu) { gpu.certificates.back().extensions[0].second.back() ^= 1; }),
            code::kFwid.code);
  EXPECT_EQ(after([](Gpu& gpu) { gpu.certificates.back().extensions[0].second = {0xf1}; }),
            code::kFwid.code);
  EXPECT_EQ(after([](Gpu& gpu) { gpu.opaque.resize(gpu.opaque.size() - 52); }), code::kFwid.code);
  EXPECT_EQ(after([](Gpu& gpu) { gpu.certificates.back().extensions.clear(); }), "accepted");
}

TEST(Nvidia, a_switch_is_no_gpu) {
  const auto with = [](size_t blocks, Device device) {
    const Gpu gpu(blocks);
    Rules rules = gpu.rules();
    rules.device = device;
    return outcome(gpu, rules);
  };
  EXPECT_EQ(with(31, Device::kSwitch), "accepted");
  EXPECT_EQ(with(31, Device::kAny), "accepted");
  EXPECT_EQ(with(31, Device::kGpu), code::kDevice.code);
  EXPECT_EQ(with(64, Device::kSwitch), code::kDevice.code);
  EXPECT_EQ(with(63, Device::kAny), code::kDevice.code);
}

TEST(Nvidia, versions_and_golden_values_are_those_of_the_policy) {
  EXPECT_EQ(ruled_by([](Rules& rules) { rules.drivers = {"535", "550.90.07"}; }), "accepted");
  EXPECT_EQ(ruled_by([](Rules& rules) { rules.drivers = {"550.90.08"}; }),
            "nvidia.firmware driver");
  EXPECT_EQ(ruled_by([](Rules& rules) { rules.vbioses = {"96009f0001"}; }), "accepted");
  EXPECT_EQ(ruled_by([](Rules& rules) { rules.vbioses = {"96009f0002"}; }),
            "nvidia.firmware VBIOS");
  const auto golden = [](uint8_t index, uint8_t value) {
    return ruled_by([&](Rules& rules) {
      rules.blocks[index] = {std::vector<uint8_t>(48, 0xee), std::vector<uint8_t>(48, value)};
    });
  };
  for (int index = 1; index <= 64; ++index) {
    const auto number = static_cast<uint8_t>(index);
    EXPECT_EQ(golden(number, number), "accepted");
    EXPECT_EQ(golden(number, static_cast<uint8_t>(number + 1)),
              formatted("nvidia.golden block {}", index));
  }
  EXPECT_EQ(golden(65, 65), "nvidia.golden block 65");
}

TEST(NvidiaRules, are_written_as_they_are_read_and_wrong_ones_are_refused) {
  const auto parse = [](std::string_view text) -> Result<Rules> {
    const auto json = TRY(parse_json(text, "the policy"));
    JsonObject object = TRY(JsonObject::of(json, "nvidia"));
    return parse_rules(object);
  };
  const std::string key = to_hex(std::vector<uint8_t>(48, 3));
  const auto rules = parse(formatted(
      R"({{"roots": ["{0}"], "device": "switch", "chain_length": 4, "blocks": {{"3": ["{0}"]}},
          "drivers": ["1"], "require_crl": true}})",
      key));
  ASSERT_TRUE(rules) << rules.error().text;
  EXPECT_EQ(rules->device, Device::kSwitch);
  EXPECT_EQ(rules->blocks.at(3).size(), 1u);
  const auto again = parse(rules_json(*rules).dump());
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(rules_json(*again), rules_json(*rules));
  for (const std::string_view wrong :
       {R"({"roots": ["00"]})", R"({"device": "tpu"})", R"({"device": 1})",
        R"({"chain_length": 1})", R"({"blocks": {"256": ["00"]}})", R"({"blocks": {"01": ["00"]}})",
        R"({"blocks": {"x": ["00"]}})", R"({"blocks": {"1": []}})", R"({"drivers": [1]})",
        R"({"typo": 1})"}) {
    EXPECT_FALSE(parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace casemate::verify::nvidia
