// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/device_evidence.h"

#include <algorithm>
#include <map>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/codes.h"
#include "outside/verify/start.h"

namespace casemate::verify {
namespace {

constexpr std::string_view kPem = "-----BEGIN ";
constexpr size_t kNvidiaNonce = 32;
// What a GPU is here: no other kind of device is one.
constexpr std::string_view kKindOfGpus = "opencl";

// The key of each device that has shown one, and which device that is.
using Shown = std::map<std::vector<uint8_t>, std::string>;

std::string device_of(const EnclaveToken& token) { return printable(token.device.view(), 32); }

std::string_view kind_of(std::string_view device) { return device.substr(0, device.find(':')); }

// The processor says nothing of itself but through the root.
bool accelerator(const EnclaveToken& token) {
  const std::string_view kind = kind_of(token.device.view());
  return kind != "none" && kind != "cpu" && !kind.empty();
}

// Tokens that name what hashes to `hash`; never none of them.
std::vector<const EnclaveToken*> tokens_of(const Evidence& evidence, const Sha384Digest& hash) {
  std::vector<const EnclaveToken*> tokens;
  for (const EnclaveToken& token : evidence.tokens) {
    if (token.device_evidence == hash) tokens.push_back(&token);
  }
  return tokens;
}

// The file's certificates, which prove nothing by being there, and the policy's collateral. The
// file's come first: of many, a reader tries so many.
Collateral with_certificates(std::vector<X509Certificate> certificates, const Policy& policy) {
  Collateral all;
  for (X509Certificate& certificate : certificates) all.add(std::move(certificate));
  if (!policy.collateral) return all;
  for (const X509Certificate& certificate : policy.collateral->certificates()) all.add(certificate);
  for (const X509Crl& crl : policy.collateral->crls()) all.add(crl);
  return all;
}

Platform appraise_nvidia(Bytes said, const Policy& policy, int64_t now, Checks& checks) {
  const size_t end = std::min(casemate::text_of(said).find(kPem), said.size());
  auto certificates = certificates_in_pem(casemate::text_of(said.subspan(end)));
  checks.require(code::kDeviceFormat, "", [&] {
    return finding_of(certificates ? Status() : Status(certificates.error()),
                      "certificates in PEM behind the answer, or nothing");
  });
  if (!certificates) return {};
  const Collateral collateral = with_certificates(*std::move(certificates), policy);
  Platform platform = nvidia::appraise(said.first(end), policy.nvidia, collateral, now, checks);
  checks.judge(code::kDeviceNonce, "", [&] {
    const bool named = !policy.nvidia.nonce.empty();
    return Finding{named, "a nonce in \"nvidia\": {\"nonce\": [...]}",
                   formatted("{}what was answered is {}", named ? "" : "no nonce there; ",
                             to_hex(Bytes(platform.report_data).first(kNvidiaNonce)))};
  });
  checks.judge(code::kStart, "", [&] {
    Finding finding = start_is_named("nvidia", policy);
    finding.allowed = policy.insecure_allow_any_start;
    return finding;
  });
  return platform;
}

Finding one_device(std::span<const EnclaveToken* const> tokens) {
  for (const EnclaveToken* token : tokens) {
    if (token->device.view() == tokens.front()->device.view()) continue;
    return {
        .expected = "tokens of one device",
        .actual = formatted("tokens of {} and {}", device_of(*tokens.front()), device_of(*token))};
  }
  return {.good = true};
}

Platform appraise_driver(Bytes said, std::span<const EnclaveToken* const> tokens,
                         const Policy& policy, int64_t now, Checks& checks) {
  std::vector<driver::Driven> driven;
  for (const EnclaveToken* token : tokens) {
    driven.push_back(
        {printable(token->name.view(), 64), token->device.view(), token->program_measurement});
  }
  return driver::appraise(said, driven, policy.drivers, now, checks);
}

// The same answer can be written in several ways, and be asked for twice.
Finding own_device(const Platform& platform, const std::string& device, Shown& shown) {
  const auto [at, first] = shown.try_emplace(platform.device_key, device);
  return {.good = first || at->second == device,
          .expected = "a device of its own",
          .actual = first ? "a key of its own" : formatted("the key of {}", at->second)};
}

Platform judge_nvidia(Bytes said, std::span<const EnclaveToken* const> tokens, const Policy& policy,
                      int64_t now, Shown& shown, Checks& checks) {
  const std::string device = device_of(*tokens.front());
  checks.judge(code::kDeviceKind, "", [&] {
    return Finding{kind_of(device) == kKindOfGpus, formatted("an {} device", kKindOfGpus), device};
  });
  checks.judge(code::kDeviceOne, "", [&] { return one_device(tokens); });
  Platform platform = appraise_nvidia(said, policy, now, checks);
  if (!platform.device_key.empty())
    checks.judge(code::kDeviceOne, "", [&] { return own_device(platform, device, shown); });
  return platform;
}

void judge_said(Bytes said, const Evidence& evidence, const Policy& policy, int64_t now,
                Shown& shown, Verdict& verdict) {
  const auto tokens = tokens_of(evidence, sha384(said));
  const std::string device = device_of(*tokens.front());
  const size_t before = verdict.checks.size();
  Checks checks(verdict);
  Platform platform;
  if (nvidia::looks_like(said)) {
    platform = judge_nvidia(said, tokens, policy, now, shown, checks);
  } else if (driver::looks_like(said)) {
    platform = appraise_driver(said, tokens, policy, now, checks);
  } else {
    checks.require(code::kDeviceFormat, "", [&] {
      return Finding{.expected =
                         "NVIDIA measurements (SPDM 1.1, and certificates in PEM behind "
                         "them), or a driver's endorsement (casemate-driver+jwt)",
                     .actual = formatted("{} bytes that are neither", said.size())};
    });
  }
  for (size_t i = before; i < verdict.checks.size(); ++i) {
    std::string& subject = verdict.checks[i].subject;
    subject = subject.empty() ? device : formatted("{} {}", device, subject);
  }
  if (!checks.halted()) verdict.devices.push_back({device, std::move(platform)});
}

}  // namespace

void judge_devices(const Evidence& evidence, const Policy& policy, int64_t now_unix,
                   Verdict& verdict) {
  Checks checks(verdict);
  for (const EnclaveToken& token : evidence.tokens) {
    if (!accelerator(token)) continue;
    checks.judge(code::kDeviceSaid, printable(token.name.view(), 64), [&] {
      const bool shown = token.device_evidence != Sha384Digest{};
      return Finding{shown, formatted("evidence of {}", device_of(token)),
                     shown ? to_hex(token.device_evidence) : "none", !policy.drivers.required};
    });
  }
  Shown shown;
  for (const Bytes said : evidence.devices)
    judge_said(said, evidence, policy, now_unix, shown, verdict);
}

}  // namespace casemate::verify
