// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/device_evidence.h"

#include <gtest/gtest.h>

#include "outside/verify/codes.h"
#include "outside/verify/driver/codes.h"
#include "outside/verify/nvidia/codes.h"
#include "outside/verify/nvidia/testing/gpu.h"
#include "outside/verify/pins.h"
#include "outside/verify/testing/signer.h"
#include "outside/verify/verify.h"
#include "outside/verify/x509/testing/authority.h"

namespace casemate::verify {
namespace {

using nvidia::testing::Gpu;
using testing::digest_of;
using testing::kNow;
using testing::Signer;

const SigningKey& driver_author() {
  static const SigningKey key = *SigningKey::generate();
  return key;
}

std::vector<uint8_t> endorsed(const std::vector<std::string>& names,
                              const SigningKey& key = driver_author()) {
  driver::Endorsement said{.issuer = "Ada",
                           .issued_unix = kNow,
                           .expires_unix = kNow + 1000,
                           .device = "npu",
                           .programs = {}};
  for (const std::string& name : names) said.programs.push_back(digest_of(name + " program"));
  const std::string text = *driver::endorse(said, key);
  return {text.begin(), text.end()};
}

// A model that is cut over two devices, which both show `said`, or each its own.
Signer on_devices(const std::vector<std::vector<uint8_t>>& said, std::string_view second = "npu:1",
                  std::string_view first = "npu:0") {
  Signer signer;
  signer.add_model("digits");
  signer.add_device("a", first);
  signer.add_device("b", second);
  signer.devices = said;
  if (!said.empty()) {
    signer.tokens[2].device_evidence = sha384(said.front());
    signer.tokens[3].device_evidence = sha384(said.back());
  }
  signer.lead(1, 2);
  signer.sign();
  return signer;
}

Policy of_author() {
  Policy policy;
  policy.allow_software_root = true;
  policy.drivers.keys = {sha384(driver_author().public_der())};
  return policy;
}

Verdict judged(const Signer& signer, const Policy& policy = of_author()) {
  return verify_evidence(signer.evidence(), {.tls_key = signer.tls.public_der(), .now_unix = kNow},
                         policy);
}

// Code and subject of the first failure; "accepted".
std::string outcome_of(const Verdict& verdict) {
  const Check* failure = verdict.first_failure();
  EXPECT_EQ(verdict.passed, failure == nullptr);
  if (failure == nullptr) return "accepted";
  EXPECT_FALSE(failure->expected.empty() || failure->actual.empty()) << failure->code;
  return std::string(failure->code) + " " + failure->subject;
}

TEST(DeviceEvidence, one_endorsement_counts_for_all_that_it_names) {
  const Verdict verdict = judged(on_devices({endorsed({"a", "b"})}));
  EXPECT_EQ(outcome_of(verdict), "accepted") << text_of(verdict);
  ASSERT_EQ(verdict.devices.size(), 1u);
  EXPECT_EQ(verdict.devices[0].device, "npu:0");
  EXPECT_EQ(verdict.devices[0].platform.root_key, driver_author().public_der());
  EXPECT_NE(text_of(verdict).find("npu:0, by driver key"), std::string::npos);
  EXPECT_NE(json_of(verdict).find("\"devices\""), std::string::npos);
}

TEST(DeviceEvidence, an_endorsement_of_one_program_does_not_count_for_another) {
  EXPECT_EQ(outcome_of(judged(on_devices({endorsed({"a"})}))), "driver.program npu:0 b");
  EXPECT_EQ(outcome_of(judged(on_devices({endorsed({"a"}), endorsed({"b"})}))), "accepted");
  EXPECT_EQ(outcome_of(judged(on_devices({endorsed({"b"}), endorsed({"a"})}))),
            "driver.program npu:0 a");
  EXPECT_EQ(outcome_of(judged(on_devices({endorsed({"a", "b"})}, "opencl:0"))),
            "driver.device npu:0 b");
}

TEST(DeviceEvidence, a_key_that_no_policy_names_is_refused_and_can_be_learned) {
  const Signer signer = on_devices({endorsed({"a", "b"})});
  Policy policy;
  policy.allow_software_root = true;
  const Verdict verdict = judged(signer, policy);
  EXPECT_EQ(outcome_of(verdict), "driver.key npu:0");
  EXPECT_TRUE(holds(verdict)) << "it is proved, and the policy says no";
  const Policy learned = pinned_policy(verdict);
  EXPECT_EQ(learned.drivers.keys, of_author().drivers.keys);
  EXPECT_TRUE(learned.drivers.required);
  EXPECT_EQ(outcome_of(judged(signer, learned)), "accepted");
  EXPECT_EQ(outcome_of(judged(on_devices({endorsed({"a", "b"}, *SigningKey::generate())}))),
            "driver.key npu:0");
}

TEST(DeviceEvidence, a_device_without_any_is_let_pass_and_named_unless_it_is_required) {
  Policy policy = of_author();
  const Verdict verdict = judged(on_devices({}), policy);
  EXPECT_EQ(outcome_of(verdict), "accepted");
  const auto said = [](const Check& check) {
    return check.code == code::kDeviceSaid && check.outcome == Outcome::kAllowed;
  };
  EXPECT_EQ(std::ranges::count_if(verdict.checks, said), 2);
  EXPECT_FALSE(pinned_policy(verdict).drivers.required);
  policy.drivers.required = true;
  EXPECT_EQ(outcome_of(judged(on_devices({}), policy)), "device.evidence a");
  Signer half = on_devices({endorsed({"a", "b"})});
  half.tokens[3].device_evidence = {};
  half.sign();
  EXPECT_EQ(outcome_of(judged(half, policy)), "device.evidence b");
  Signer none;
  none.add_model("digits");
  none.sign();
  EXPECT_EQ(outcome_of(judged(none, policy)), "accepted") << "the processor has none";
}

TEST(DeviceEvidence, that_was_left_out_put_in_moved_or_changed_is_refused_before_it_is_read) {
  const auto after = [](auto bend) {
    Signer signer = on_devices({endorsed({"a"}), endorsed({"b"})});
    bend(signer);
    const Verdict verdict = judged(signer);
    EXPECT_TRUE(verdict.passed || !holds(verdict));
    return outcome_of(verdict);
  };
  const std::string refused = "token.device_evidence ";
  EXPECT_EQ(after([](Signer&) {}), "accepted");
  EXPECT_EQ(after([](Signer& s) { s.devices.pop_back(); }), refused);
  EXPECT_EQ(after([](Signer& s) { s.devices.clear(); }), refused);
  EXPECT_EQ(after([](Signer& s) { s.devices.push_back(endorsed({"c"})); }), refused);
  EXPECT_EQ(after([](Signer& s) { std::swap(s.devices[0], s.devices[1]); }), refused);
  EXPECT_EQ(after([](Signer& s) { s.devices[1] = s.devices[0]; }), refused);
  for (const size_t at : {0, 20, 400})
    EXPECT_EQ(after([&](Signer& s) { s.devices[0].at(at) ^= 1; }), refused) << at;
  EXPECT_EQ(after([](Signer& s) { s.tokens[2].device_evidence[0] ^= 1; }),
            "token.signature model a");
}

TEST(DeviceEvidence, of_no_known_format_is_refused_with_their_names) {
  for (const std::string_view text : {"{}", "-----BEGIN CERTIFICATE-----", "\x11", "e"}) {
    const Verdict verdict = judged(on_devices({std::vector<uint8_t>(text.begin(), text.end())}));
    EXPECT_EQ(outcome_of(verdict), "device.format npu:0") << text;
    EXPECT_NE(line_of(verdict).find("NVIDIA measurements"), std::string::npos) << line_of(verdict);
  }
}

TEST(DeviceEvidence, that_is_broken_hides_nothing_of_the_others) {
  const std::vector<uint8_t> broken = {'e', 'y', 'x'};
  const Verdict verdict = judged(on_devices({broken, endorsed({"a"})}));
  EXPECT_EQ(outcome_of(verdict), "driver.form npu:0");
  const auto other = std::ranges::find_if(verdict.checks, [](const Check& check) {
    return check.code == driver::code::kProgram && check.subject == "npu:1 b";
  });
  ASSERT_NE(other, verdict.checks.end());
  EXPECT_EQ(other->outcome, Outcome::kFailed);
}

// What the GPU answered, with its certificates in PEM behind it.
std::vector<uint8_t> answer_of(const Gpu& gpu, bool hexadecimal = false) {
  std::vector<uint8_t> file = gpu.evidence();
  if (hexadecimal) {
    const std::string text = to_hex(file) + "\n";
    file.assign(text.begin(), text.end());
  }
  const Collateral all = gpu.collateral();
  for (const X509Certificate& certificate : all.certificates()) {
    const std::string pem = testing::pem_of(certificate);
    file.insert(file.end(), pem.begin(), pem.end());
  }
  return file;
}

Policy of_gpu(const Gpu& gpu) {
  Policy policy;
  policy.allow_software_root = true;
  policy.nvidia = gpu.rules();
  policy.nvidia.nonce = {std::vector<uint8_t>(32, 0xa0)};
  policy.nvidia.blocks[1] = {std::vector<uint8_t>(48, 1)};
  return policy;
}

Signer on_gpus(const std::vector<std::vector<uint8_t>>& said, std::string_view second) {
  return on_devices(said, second, "opencl:0");
}

TEST(DeviceEvidence, of_a_gpu_is_judged_by_the_certificates_that_come_with_it) {
  const Gpu gpu;
  for (const bool hexadecimal : {false, true}) {
    const auto file = answer_of(gpu, hexadecimal);
    EXPECT_LE(file.size(), kDeviceEvidenceBytes);
    const Signer signer = on_gpus({file}, "opencl:0");
    const Verdict verdict = judged(signer, of_gpu(gpu));
    EXPECT_EQ(outcome_of(verdict), "accepted") << text_of(verdict);
    EXPECT_EQ(verdict.devices.at(0).platform.root_key, gpu.keys.front().public_der());
    const Policy learned = pinned_policy(verdict);
    EXPECT_EQ(learned.nvidia.blocks.size(), 64u);
    EXPECT_EQ(outcome_of(judged(signer, learned)), "device.nonce opencl:0")
        << "that is for its owner to choose";
  }
  const Signer bare = on_gpus({gpu.evidence()}, "opencl:0");
  EXPECT_EQ(outcome_of(judged(bare, of_gpu(gpu))), "nvidia.signature opencl:0");
  Policy policy = of_gpu(gpu);
  policy.collateral = std::make_shared<const Collateral>(gpu.collateral());
  EXPECT_EQ(outcome_of(judged(bare, policy)), "accepted") << "they may be the verifier's own";
}

TEST(DeviceEvidence, of_a_gpu_is_refused_where_the_policy_names_no_nonce_or_another) {
  const Gpu gpu;
  const Signer signer = on_gpus({answer_of(gpu)}, "opencl:0");
  Policy policy = of_gpu(gpu);
  policy.nvidia.nonce.clear();
  const Verdict verdict = judged(signer, policy);
  EXPECT_EQ(outcome_of(verdict), "device.nonce opencl:0");
  EXPECT_NE(line_of(verdict).find("nonce of your own"), std::string::npos) << line_of(verdict);
  policy.nvidia.nonce = {std::vector<uint8_t>(32, 0xb0)};
  EXPECT_EQ(outcome_of(judged(signer, policy)), "nvidia.nonce opencl:0");
}

TEST(DeviceEvidence, of_a_gpu_is_refused_without_its_root_or_what_runs_on_it_in_the_policy) {
  const Gpu gpu;
  const Signer signer = on_gpus({answer_of(gpu)}, "opencl:0");
  Policy policy = of_gpu(gpu);
  policy.nvidia.roots = Gpu().rules().roots;
  EXPECT_EQ(outcome_of(judged(signer, policy)), "nvidia.chain opencl:0");
  policy = of_gpu(gpu);
  policy.nvidia.blocks.clear();
  EXPECT_EQ(outcome_of(judged(signer, policy)), "platform.start opencl:0");
  policy.insecure_allow_any_start = true;
  EXPECT_EQ(outcome_of(judged(signer, policy)), "accepted");
}

TEST(DeviceEvidence, of_one_gpu_counts_for_one_device) {
  const Gpu gpu;
  EXPECT_EQ(outcome_of(judged(on_gpus({answer_of(gpu)}, "opencl:1"), of_gpu(gpu))),
            "device.one opencl:0");
  // However it is written, and whatever is put behind it.
  std::vector<std::vector<uint8_t>> forms = {answer_of(gpu), answer_of(gpu, true)};
  EXPECT_EQ(outcome_of(judged(on_gpus(forms, "opencl:1"), of_gpu(gpu))), "device.one opencl:1");
  EXPECT_EQ(outcome_of(judged(on_gpus(forms, "opencl:0"), of_gpu(gpu))), "accepted");
  const Gpu other;
  const Policy one = of_gpu(gpu);
  Policy both = of_gpu(other);
  both.nvidia.roots.insert(both.nvidia.roots.end(), one.nvidia.roots.begin(),
                           one.nvidia.roots.end());
  forms.back() = answer_of(other);
  EXPECT_EQ(outcome_of(judged(on_gpus(forms, "opencl:1"), both)), "accepted");
}

TEST(DeviceEvidence, of_a_gpu_says_nothing_of_another_kind_of_device) {
  const Gpu gpu;
  EXPECT_EQ(outcome_of(judged(on_devices({answer_of(gpu)}, "npu:0"), of_gpu(gpu))),
            "device.kind npu:0");
}

TEST(DeviceEvidence, of_a_gpu_with_a_broken_certificate_behind_it_is_refused) {
  const Gpu gpu;
  std::vector<uint8_t> file = gpu.evidence();
  for (const char c :
       std::string_view("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
    file.push_back(static_cast<uint8_t>(c));
  EXPECT_EQ(outcome_of(judged(on_gpus({file}, "opencl:0"), of_gpu(gpu))), "device.format opencl:0");
}

}  // namespace
}  // namespace casemate::verify
