// SPDX-License-Identifier: Apache-2.0
#pragma once
// The checks of our own evidence: what each looks at, and what to do when it fails.
//
//   Owns     constants.
//   Threads  constants.
//   Trust    our own words.
//   Fails    cannot.

#include <string_view>

#include "outside/verdict/checks.h"

namespace casemate::verify::code {

inline constexpr std::string_view kDoLeaveRelayed =
    "do not use this server: somebody presents evidence that belongs to another key";
inline constexpr std::string_view kDoLeaveForged =
    "do not use this server: the evidence was changed or pieced together after it was signed";
inline constexpr std::string_view kDoPin =
    "if the change is intended, take the new value into the policy: casemate attest URL "
    "--learn FILE writes what is there now";
inline constexpr std::string_view kDoMatchReleases =
    "use a client and a server of the same release; if they are, the evidence was damaged";
inline constexpr std::string_view kDoCompareClocks =
    "compare the clocks of this machine and the server; if they are right, the evidence is stale "
    "and the server must make it anew";

inline constexpr CheckKind kForm{"evidence.form", "the evidence is well-formed", kDoMatchReleases};
inline constexpr CheckKind kQuoteForm{"quote.form", "the quote is in a known format",
                                      kDoMatchReleases};
inline constexpr CheckKind kQuoteCertificates{
    "quote.certificates", "the quote comes with the three certificates of a development root",
    kDoMatchReleases};
inline constexpr CheckKind kQuoteChain{
    "quote.chain", "a root certified the platform's authority, and that one the attestation key",
    "do not use this server; if it is yours, remove development-attestation.key and .chain from "
    "its state folder and start it again, which makes both anew"};
inline constexpr CheckKind kQuoteValidity{
    "quote.validity", "the certificates are valid at this time",
    "compare the clock of this machine, or the time given with --at, with the certificates'; a "
    "root that has ended has to be made anew"};
inline constexpr CheckKind kQuoteSignature{
    "quote.signature", "the quote is signed by the attestation key", kDoLeaveForged};
inline constexpr CheckKind kRootKind{
    "root.kind", "the root is real hardware",
    "use a server with a hardware root, or, for development only, give --allow-software-root or "
    "set \"allow_software_root\": true in the policy"};
inline constexpr CheckKind kRootKey{
    "root.key", "the root's key is accepted by the policy",
    "add the key to \"software_roots\" if you know whose it is; otherwise do not use this server"};
inline constexpr CheckKind kReportData{"quote.report_data", "the quote commits to these claims",
                                       kDoLeaveForged};
inline constexpr CheckKind kClaimsForm{"claims.form", "the claims are exactly the known ones",
                                       kDoMatchReleases};
inline constexpr CheckKind kKeyUse{
    "claims.key_use", "the claims are about a key for what it is used for", kDoLeaveRelayed};
inline constexpr CheckKind kTlsKey{
    "claims.tls_key", "the claims name the TLS key of this connection", kDoLeaveRelayed};
inline constexpr CheckKind kHpkeKey{"claims.hpke_key",
                                    "the claims name the key that a model's key is asked for with",
                                    kDoLeaveRelayed};
inline constexpr CheckKind kMonitorKey{"claims.monitor_key", "the claims name a monitor key",
                                       kDoMatchReleases};
inline constexpr CheckKind kMonitor{
    "claims.platform",
    "the quote, where it measures the monitor, and the claims say the same of it", kDoLeaveForged};
inline constexpr CheckKind kStart{
    "platform.start", "the policy names what may have been started on such hardware",
    "genuine hardware is to be had by the hour: pin what it starts (casemate attest --learn shows "
    "it), or, for development only, set \"insecure_allow_any_start\": true in the policy"};
inline constexpr CheckKind kTokens{"tokens.present", "the evidence has a token of the gateway",
                                   "ask the server's operator: its gateway is not attested"};
inline constexpr CheckKind kTokenSignature{"token.signature", "the token is signed by the monitor",
                                           kDoLeaveForged};
inline constexpr CheckKind kTokenForm{"token.form", "the token is well-formed", kDoMatchReleases};
inline constexpr CheckKind kTokenNonce{"token.nonce", "the token answers our nonce",
                                       "try again; if it repeats, somebody replays old evidence"};
inline constexpr CheckKind kTokenKind{"token.kind", "the token is of the right kind of enclave",
                                      kDoLeaveRelayed};
inline constexpr CheckKind kTokenKey{"token.key", "the gateway enclave owns the TLS key",
                                     kDoLeaveRelayed};
inline constexpr CheckKind kTokenHpkeKey{
    "token.hpke_key", "the model's enclave owns the key that it asks with", kDoLeaveRelayed};
inline constexpr CheckKind kTokenLine{
    "token.line", "every enclave that a model calls is there, in the order of its calls",
    "do not use this server: an enclave was left out, put in or moved"};
inline constexpr CheckKind kDeviceEvidence{
    "token.device_evidence", "what devices say of themselves is what tokens name, and all of it",
    "do not use this server: evidence of a device was left out, put in, changed or moved"};
inline constexpr CheckKind kTokenEpoch{
    "token.epoch", "the gateway is not older than already seen",
    "connect again; if it repeats, somebody replays old evidence"};
inline constexpr CheckKind kTokenDebug{
    "token.debug", "the enclave is not a debug enclave",
    "use a release enclave, or set \"insecure_allow_debug\": true in the policy to develop"};
inline constexpr CheckKind kTokenIssued{"token.issued", "the token is of a believable time",
                                        kDoCompareClocks};
inline constexpr CheckKind kQuoteDebug{
    "quote.debug", "the platform is not in debug mode",
    "use a release platform, or set \"insecure_allow_debug\": true in the policy to develop"};
inline constexpr CheckKind kQuoteIssued{"quote.issued", "the quote is of a believable time",
                                        kDoCompareClocks};
inline constexpr CheckKind kPlatformFormat{
    "platform.format", "the evidence is in a format that is read",
    "docs/evidence.md lists the formats; a report that is not signed for others is none"};
inline constexpr CheckKind kPlatformReportData{
    "platform.report_data", "it was made for what was asked",
    "do not use it: somebody presents evidence that was made for another"};
inline constexpr CheckKind kSecurityVersion{
    "quote.security_version", "the platform's security version is high enough",
    "ask the operator to update the platform, or lower \"security_version_min\" in the policy"};
inline constexpr CheckKind kPlatform{"platform.measurement", "the platform is one of the policy's",
                                     kDoPin};
inline constexpr CheckKind kModelName{
    "model.name", "the model is the one asked for and known to the policy",
    "name the model in the policy's \"models\", or ask for another one"};
inline constexpr CheckKind kModel{"enclave.model", "the model's files are those of the policy",
                                  kDoPin};
inline constexpr CheckKind kProgram{"enclave.program",
                                    "the enclave's program is one of the policy's", kDoPin};
inline constexpr CheckKind kManifest{"enclave.manifest",
                                     "the enclave's manifest is one of the policy's", kDoPin};
inline constexpr CheckKind kDevice{"enclave.device", "the enclave's device is one of the policy's",
                                   kDoPin};
inline constexpr CheckKind kDeviceSaid{
    "device.evidence", "the accelerator shows evidence",
    "have the server's operator give it some (casemate serve --device-evidence), or set "
    "\"required\" in the policy's \"drivers\" to false"};
inline constexpr CheckKind kDeviceFormat{"device.format",
                                         "the accelerator's evidence is in a format that is read",
                                         "docs/evidence.md lists the formats"};
inline constexpr CheckKind kDeviceNonce{
    "device.nonce", "the policy says which nonce the accelerator must have answered",
    "give the server's operator a nonce of your own to ask the device with, and name it in "
    "\"nonce\" "
    "of the policy's \"nvidia\": an answer is as fresh as that"};
inline constexpr CheckKind kDeviceKind{
    "device.kind", "the accelerator is of the kind that its evidence is of",
    "have the driver's author endorse what drives it (casemate endorse): a GPU's answer says "
    "nothing of other devices"};
inline constexpr CheckKind kDeviceOne{
    "device.one", "one accelerator shows this evidence",
    "do not use this server: one device's answer stands for several"};
inline constexpr CheckKind kPeers{"enclave.peers", "the enclave's peers are those of the policy",
                                  kDoPin};

}  // namespace casemate::verify::code
