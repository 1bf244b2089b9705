// SPDX-License-Identifier: Apache-2.0
#pragma once
// The verifier of the TPM root's quotes: from bytes to a Platform, each check with its reason.
//
//   who signed?     the key, which can sign nothing but what a TPM says
//   what?           the report data, the PCR values, the monitor's own events in PCR 23
//   which TPM?      the key is named by the rules, or certified by an authority that they name, who
//                   believes the TPM's maker (outside/certify)
//   what booted?    PCRs against the rules; firmware's log, where there is one, against the PCRs
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the quote and the collateral may be hostile; the rules are ours.
//   Fails    cannot: what is wrong is in the checks.

#include <map>
#include <vector>

#include "outside/verdict/accepted_values.h"
#include "outside/verdict/checks.h"
#include "outside/verdict/platform.h"
#include "outside/verdict/strict_json.h"
#include "outside/verify/collateral/collateral.h"

namespace casemate::verify {

namespace code {
inline constexpr std::string_view kDoCertifyTpm =
    "have the TPM's key certified (casemate tpm) and name the authority in the policy, or name "
    "the key itself if you know whose it is";
inline constexpr CheckKind kTpmForm{
    "tpm.form", "the TPM's quote is well-formed",
    "use a client and a server of the same release; if they are, the evidence was damaged"};
inline constexpr CheckKind kTpmKey{
    "tpm.key", "the key can sign only what a TPM says",
    "do not use this server: this is not how its monitor makes the key"};
inline constexpr CheckKind kTpmSignature{
    "tpm.signature", "the key has signed the quote",
    "do not use this server: the evidence was changed or pieced together after it was signed"};
inline constexpr CheckKind kTpmHead{
    "tpm.extra_data", "the TPM has signed the report data and the time along",
    "do not use this server: the evidence was changed or pieced together after it was signed"};
inline constexpr CheckKind kTpmPcrs{
    "tpm.pcr_digest", "the PCR values are those that the TPM has signed",
    "do not use this server: the evidence was changed or pieced together after it was signed"};
inline constexpr CheckKind kTpmEvents{
    "tpm.events", "the monitor's events replay to PCR 23",
    "another program has extended PCR 23, or the evidence was changed: ask the server's operator"};
inline constexpr CheckKind kTpmKnown{"tpm.key_known", "the key is vouched for", kDoCertifyTpm};
inline constexpr CheckKind kTpmValid{
    "tpm.certificate_valid", "the key's certificate is valid now",
    "have the TPM's key certified again (casemate tpm), or compare the clocks"};
inline constexpr CheckKind kTpmRevoked{
    "tpm.certificate_revoked", "the key's certificate is not revoked",
    "do not use this server: the authority has taken its word for it back"};
inline constexpr RevocationAdvice kRevokedTpm{
    "do not use this server: the authority has taken its word for it back",
    "ask the key's authority for its revocation list, and add it to the collateral",
    "compare the clock with the list's times; if it is right, ask the key's authority for its "
    "current revocation list, and remove the one that does not count"};
inline constexpr CheckKind kTpmPcr{
    "tpm.pcr", "a PCR holds a value of the policy's",
    "if firmware, boot loader or kernel were changed on purpose, take the new value into the "
    "policy; otherwise the machine has booted something else"};
inline constexpr CheckKind kTpmLog{
    "tpm.firmware_log", "the firmware's log replays to the quoted PCRs",
    "copy the log of this very start: /sys/kernel/security/tpm0/binary_bios_measurements"};
}  // namespace code

// SHA-384 of TPMT_PUBLIC, as TpmRules::keys has it, among the measurements.
inline constexpr std::string_view kTpmKeyMeasurement = "key";

// Of a policy's "tpm": {"keys": ["<hex>"], "authorities": ["<hex>"], "pcrs": {"7": ["<hex>"]}}.
struct TpmRules {
  std::vector<Sha384Digest> keys;         // SHA-384 of TPMT_PUBLIC of attestation keys
  std::vector<Sha384Digest> authorities;  // SHA-384 of SPKI DER of those who certify such keys
  std::map<uint32_t, std::vector<Sha256Digest>> pcrs;  // accepted values; others are not looked at
};

Result<TpmRules> parse_tpm_rules(JsonObject& object);
nlohmann::ordered_json tpm_rules_json(const TpmRules& rules);

// Whether the bytes are meant to be one.
bool looks_like_tpm_quote(Bytes bytes);

// What the quote says, under `rules`, at `now_unix`. The authorities' certificates, revocation
// lists and the firmware's log come from the collateral.
Platform verify_tpm(Bytes quote, const Collateral& collateral, const TpmRules& rules,
                    int64_t now_unix, Checks& checks);

}  // namespace casemate::verify
