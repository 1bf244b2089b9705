// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/format.h"
#include "outside/verify/nvidia/codes.h"
#include "outside/verify/nvidia/nvidia.h"
#include "outside/verify/x509/chain.h"

namespace casemate::verify::nvidia {
namespace {

constexpr std::string_view kTcbInfo =
    "2.23.133.5.4.1";  // tcg-dice-TcbInfo, which ends with the FWID
constexpr size_t kP384Spki = 120;
constexpr size_t kKeysTried = 64;

class NvidiaAppraisal final {
 public:
  NvidiaAppraisal(Bytes evidence, const Rules& rules, const Collateral& collateral, int64_t now,
                  Checks& checks)
      : evidence_(evidence), rules_(rules), collateral_(collateral), now_(now), checks_(checks) {}

  Platform run() && {
    platform_.root = "nvidia";
    prove();
    judge();
    return std::move(platform_);
  }

 private:
  void prove();
  void judge();
  Finding read();
  Finding find_signer();
  Finding find_chain();
  Finding right_fwid() const;
  Finding right_device() const;
  static Finding one_of_versions(const std::vector<std::string>& accepted,
                                 const std::string& found);

  Bytes evidence_;
  const Rules& rules_;
  const Collateral& collateral_;
  int64_t now_;
  Checks& checks_;
  Platform platform_;
  Transcript transcript_;
  std::optional<X509Certificate> leaf_;
  Chain chain_;
};

Finding NvidiaAppraisal::read() {
  auto transcript = read_transcript(evidence_);
  if (!transcript) return finding_of(transcript.error(), "a request and its signed answer");
  transcript_ = *std::move(transcript);
  std::ranges::copy(transcript_.nonce, platform_.report_data.begin());
  for (const auto& [index, block] : transcript_.blocks)
    platform_.measurements.push_back({formatted("block {}", index), block.value});
  const auto text = [&](std::string name, const std::string& value) {
    platform_.measurements.push_back({std::move(name), {value.begin(), value.end()}});
  };
  text("driver", transcript_.driver);
  text("vbios", transcript_.vbios);
  platform_.measurements.push_back({"fwid", transcript_.fwid});
  platform_.digest = digest_of(platform_.root, platform_.measurements);
  return {.good = true};
}

// The certificate whose key made the signature: which device answered is not said elsewhere.
Finding NvidiaAppraisal::find_signer() {
  size_t tried = 0;
  for (const X509Certificate& certificate : collateral_.certificates()) {
    const std::vector<uint8_t> key = certificate.key();
    if (key.size() != kP384Spki || tried == kKeysTried) continue;
    ++tried;
    if (verify_signature(key, transcript_.signed_bytes, transcript_.signature)) {
      leaf_ = certificate;
      return {.good = true, .actual = formatted("a signature by {}", leaf_->subject())};
    }
  }
  return {.expected = "a signature by the key of a certificate in the collateral",
          .actual = formatted("one by none of {} keys on P-384", tried)};
}

Finding NvidiaAppraisal::find_chain() {
  const ChainRules wanted{.anchors = rules_.roots,
                          .known_critical = {kTcbInfo},
                          .length_max = static_cast<size_t>(rules_.chain_length)};
  auto chain = chain_of(*leaf_, collateral_.certificates(), wanted);
  if (!chain) return finding_of(chain.error(), "a chain to a root of the policy");
  chain_ = *std::move(chain);
  platform_.root_key = chain_.back().key();
  platform_.device_key = leaf_->key();
  return {.good = chain_.size() == static_cast<size_t>(rules_.chain_length),
          .expected = formatted("{} certificates from the device to the root", rules_.chain_length),
          .actual = formatted("{}", chain_.size())};
}

void NvidiaAppraisal::prove() {
  checks_.require(code::kForm, "", [&] { return read(); });
  checks_.require(code::kSignature, "", [&] { return find_signer(); });
  checks_.require(code::kChain, "", [&] { return find_chain(); });
  checks_.require(code::kValidity, "", [&] {
    return finding_of(check_validity(chain_, now_), "certificates that are valid at this time");
  });
  checks_.require(code::kRevocation, "", [&] {
    const auto check = [&](Revocation wanted) {
      return check_revocation(chain_, collateral_.crls(), now_, wanted);
    };
    const std::string_view expected = "current lists that name none of the certificates";
    const Status shown = check(Revocation::kMustBeShown);
    if (rules_.require_crl) return revocation_of(shown, expected, code::kRevoked);
    return unrevoked(shown, check(Revocation::kIfListed), expected, code::kRevoked);
  });
}

Finding NvidiaAppraisal::right_fwid() const {
  const auto info = leaf_->extension(kTcbInfo);
  if (!info) return finding_of(info.error(), "one description of the firmware");
  if (!info->has_value())
    return {.expected = "a certificate that names the firmware",
            .actual = "one that does not",
            .allowed = true};
  const bool named =
      transcript_.fwid.size() == sizeof(Sha384Digest) &&
      (*info)->size() >= transcript_.fwid.size() &&
      std::ranges::equal(transcript_.fwid, Bytes(**info).last(transcript_.fwid.size()));
  return {.good = named,
          .expected = "the firmware that the certificate names",
          .actual = formatted("FWID {}", to_hex(transcript_.fwid))};
}

Finding NvidiaAppraisal::right_device() const {
  const size_t wanted =
      rules_.device == Device::kSwitch ? Transcript::kBlocksOfSwitch : Transcript::kBlocksOfGpu;
  const size_t count = transcript_.blocks.size();
  const bool known = count == Transcript::kBlocksOfGpu || count == Transcript::kBlocksOfSwitch;
  return {.good = rules_.device == Device::kAny ? known : count == wanted,
          .expected = rules_.device == Device::kAny ? "64 blocks (a GPU) or 31 (a switch)"
                                                    : formatted("{} blocks", wanted),
          .actual = formatted("{} blocks", count)};
}

Finding NvidiaAppraisal::one_of_versions(const std::vector<std::string>& accepted,
                                         const std::string& found) {
  return {.good = std::ranges::contains(accepted, found),
          .expected = accepted.empty() ? "a pinned version" : accepted.front(),
          .actual = found.empty() ? "none" : found,
          .allowed = accepted.empty()};
}

void NvidiaAppraisal::judge() {
  checks_.judge(code::kFwid, "", [&] { return right_fwid(); });
  checks_.judge(code::kDevice, "", [&] { return right_device(); });
  checks_.judge(code::kNonce, "", [&] { return one_of_accepted(rules_.nonce, transcript_.nonce); });
  checks_.judge(code::kVersion, "driver",
                [&] { return one_of_versions(rules_.drivers, transcript_.driver); });
  checks_.judge(code::kVersion, "VBIOS",
                [&] { return one_of_versions(rules_.vbioses, transcript_.vbios); });
  if (rules_.blocks.empty()) {
    checks_.judge(code::kGolden, "", [&] {
      return Finding{.expected = "golden values", .actual = "none in the policy", .allowed = true};
    });
  }
  for (const auto& [index, accepted] : rules_.blocks) {
    checks_.judge(code::kGolden, formatted("block {}", index), [&] {
      const auto block = transcript_.blocks.find(index);
      if (block == transcript_.blocks.end())
        return Finding{.expected = "a value of the policy", .actual = "no such block"};
      return one_of_accepted(accepted, block->second.value);
    });
  }
}

}  // namespace

bool looks_like(Bytes evidence) {
  // Version and code of the request, as they are or as text.
  const std::string_view text = casemate::text_of(evidence);
  return text.starts_with("\x11\xe0") || text.starts_with("11e0") || text.starts_with("11E0");
}

Platform appraise(Bytes evidence, const Rules& rules, const Collateral& collateral,
                  int64_t now_unix, Checks& checks) {
  return NvidiaAppraisal(evidence, rules, collateral, now_unix, checks).run();
}

}  // namespace casemate::verify::nvidia
