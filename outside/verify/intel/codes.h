// SPDX-License-Identifier: Apache-2.0
#pragma once
// The checks of Intel's evidence: what each looks at, and what to do when it fails.
//
//   Owns     constants.
//   Threads  constants.
//   Trust    our own words.
//   Fails    cannot.

#include "outside/verdict/accepted_values.h"

namespace casemate::verify::intel::code {

inline constexpr std::string_view kDoLeave =
    "do not use this platform: the evidence was changed or pieced together after it was signed";
inline constexpr std::string_view kDoFetch =
    "fetch the collateral of this platform anew (casemate collateral fetch) into the folder of "
    "--collateral";
inline constexpr std::string_view kDoUpdate =
    "have the platform's operator install the newest firmware and microcode, and quote anew";
inline constexpr std::string_view kDoPin =
    "if the change is intended, take the new value into \"intel\": {\"measurements\": ...} of the "
    "policy; otherwise do not use this platform";

inline constexpr CheckKind kForm{"intel.form", "the quote is well-formed",
                                 "ask for the quote anew; this build reads versions 3, 4 and 5"};
inline constexpr CheckKind kTrailing{
    "intel.trailing", "nothing but padding follows on the quote",
    "cut off what follows, or allow it with \"trailing_bytes\" in the policy"};
inline constexpr CheckKind kSignature{"intel.signature",
                                      "the attestation key signed header and body", kDoLeave};
inline constexpr CheckKind kKeyBinding{
    "intel.key_binding", "the quoting enclave vouches for the attestation key", kDoLeave};
inline constexpr CheckKind kPck{"intel.pck", "the platform's certificate is one by Intel's scheme",
                                kDoLeave};
inline constexpr CheckKind kQeSignature{
    "intel.qe_signature", "the platform's key signed the quoting enclave's report", kDoLeave};
inline constexpr CheckKind kChain{"intel.chain", "the platform's certificate ends at Intel's root",
                                  kDoLeave};
inline constexpr CheckKind kValidity{
    "intel.validity", "the platform's certificates are valid at this time",
    "compare the clock with the certificate's; have the platform provisioned anew if it is old"};
inline constexpr CheckKind kDebug{
    "intel.debug", "its memory cannot be read from outside",
    "run it without the debug flag, or, for development, set \"insecure_allow_debug\": true"};
inline constexpr CheckKind kMeasurement{"intel.measurement", "the policy accepts what was measured",
                                        kDoPin};
inline constexpr CheckKind kProduct{"intel.product_id", "the policy accepts the product", kDoPin};
inline constexpr CheckKind kSecurityVersion{"intel.security_version",
                                            "the enclave is no older than the policy asks",
                                            "have the newer enclave run"};
inline constexpr CheckKind kEventLog{
    "intel.event_log", "the event log explains the run-time registers",
    "ask for the log of this very boot; if it repeats, it was changed: do not use this platform"};
inline constexpr CheckKind kRevocation{
    "intel.revocation", "lists that are in force revoke none of the certificates", kDoFetch};
inline constexpr std::string_view kDoFetchLists =
    "fetch the revocation lists of this platform's authorities (casemate collateral fetch) into "
    "the folder of --collateral";
// Of the platform's certificates, and of those of who signed the collateral.
inline constexpr RevocationAdvice kRevokedPlatform{
    "do not use this platform: Intel has taken its word for it back, and newer collateral says the "
    "same; have its operator provision it anew, or use another",
    kDoFetchLists,
    "compare the clock with the list's times; if it is right, the lists are out of date: fetch "
    "them anew (casemate collateral fetch) into the folder of --collateral"};
inline constexpr RevocationAdvice kRevokedSigner{
    "remove this collateral: who signed it may do so no more; fetch it anew from Intel (casemate "
    "collateral fetch), signed by a certificate that stands",
    kRevokedPlatform.missing, kRevokedPlatform.unusable};
inline constexpr CheckKind kTcbInfo{"intel.tcb_info",
                                    "Intel's signed TCB info is there for this platform", kDoFetch};
inline constexpr CheckKind kTcbTime{"intel.tcb_time", "the TCB info is in force", kDoFetch};
inline constexpr CheckKind kQeIdentity{
    "intel.qe_identity", "Intel's signed identity of the quoting enclave is there", kDoFetch};
inline constexpr CheckKind kQeTime{"intel.qe_time", "the quoting enclave's identity is in force",
                                   kDoFetch};
inline constexpr CheckKind kEvaluationNumber{
    "intel.evaluation_number", "the collateral is no older than the policy asks", kDoFetch};
inline constexpr CheckKind kQe{"intel.qe", "the quoting enclave is the one that Intel made",
                               "do not use this platform: some other enclave made the quote"};
inline constexpr CheckKind kQeLevel{"intel.qe_level", "the quoting enclave has a TCB level",
                                    kDoUpdate};
inline constexpr CheckKind kModule{"intel.module", "the TDX module is known and has a TCB level",
                                   "have the platform's operator install the newest TDX module"};
inline constexpr CheckKind kLevel{"intel.level", "the platform reaches a TCB level", kDoUpdate};
inline constexpr CheckKind kStatus{"intel.tcb_status", "the policy accepts the TCB status",
                                   kDoUpdate};
inline constexpr CheckKind kAdvisories{"intel.advisories",
                                       "the policy accepts the advisories that apply", kDoUpdate};
inline constexpr CheckKind kSignerValidity{
    "intel.signer_validity", "the certificates of who signed the collateral are valid", kDoFetch};

inline constexpr CheckKind kCertificateValidity{
    "ratls.validity", "the certificate is valid at this time",
    "have the server make its certificate anew, and compare the clocks"};
inline constexpr CheckKind kSelfSigned{"ratls.self_signed", "the certificate is signed by its key",
                                       kDoLeave};
inline constexpr CheckKind kEvidence{
    "ratls.evidence", "the certificate carries evidence",
    "ask for a certificate with evidence in the extension 2.23.133.5.4.9"};
inline constexpr CheckKind kClaims{"ratls.claims", "the claims name a key", kDoLeave};
inline constexpr CheckKind kKey{"ratls.key", "the claims name the certificate's key",
                                "do not use this server: somebody presents another's evidence"};
inline constexpr CheckKind kReportData{"ratls.report_data", "the quote commits to these claims",
                                       kDoLeave};

}  // namespace casemate::verify::intel::code
