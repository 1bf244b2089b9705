// SPDX-License-Identifier: Apache-2.0
#pragma once
// The checks of an SEV-SNP report: what each looks at, and what to do when it fails.
//
//   Owns     constants.
//   Threads  constants.
//   Trust    our own words.
//   Fails    cannot.

#include "outside/verdict/accepted_values.h"

namespace casemate::verify::snp::code {

inline constexpr std::string_view kDoLeaveForged =
    "do not use this machine: the report was changed, or was not made by AMD's firmware";
inline constexpr std::string_view kDoFetch =
    "fetch the certificates of this chip at this level anew: casemate collateral fetch, or AMD's "
    "key distribution service by chip_id and reported_tcb";
inline constexpr std::string_view kDoRestart =
    "have the guest started with another launch policy, or allow it in the policy's \"snp\"";
inline constexpr std::string_view kDoPin =
    "if the change is intended, take the new value into the policy's \"snp\"";

inline constexpr CheckKind kForm{"snp.form", "the report is in a known format",
                                 "give the report as the firmware wrote it: 1184 bytes"};
inline constexpr CheckKind kKey{"snp.key", "there is a certificate for the key that signed",
                                kDoFetch};
inline constexpr CheckKind kSignature{"snp.signature", "the report is signed by that key",
                                      kDoLeaveForged};
inline constexpr CheckKind kChain{
    "snp.chain", "the key's certificate leads to a root of AMD",
    "add AMD's certificates of this product (ASK and ARK, or ASVK and "
    "ARK) to the collateral"};
inline constexpr CheckKind kIssuer{"snp.issuer", "each authority issued its own kind of key only",
                                   kDoLeaveForged};
inline constexpr CheckKind kValidity{
    "snp.validity", "all certificates are valid at this time",
    "compare the clocks; if they are right, fetch newer certificates"};
inline constexpr CheckKind kRevocation{
    "snp.revocation", "no certificate was revoked",
    "fetch AMD's current revocation list; if a certificate is listed, do not use this machine"};
inline constexpr RevocationAdvice kRevoked{
    "do not use this machine: AMD has taken its word for who certified the chip back, and newer "
    "collateral says the same",
    "fetch AMD's revocation list of this product (casemate collateral fetch) into the folder of "
    "--collateral, or set \"require_crl\" in the policy's \"snp\" to false",
    "compare the clock with the list's times; if it is right, fetch AMD's current revocation list "
    "(casemate collateral fetch), and remove the one that does not count"};
inline constexpr CheckKind kProduct{"snp.product", "certificate, root and report name one product",
                                    kDoLeaveForged};
inline constexpr CheckKind kChip{"snp.chip_id", "the certificate belongs to the chip that signed",
                                 kDoFetch};
inline constexpr CheckKind kCertifiedTcb{
    "snp.certified_tcb", "the certificate is for the firmware that the report names", kDoFetch};
inline constexpr CheckKind kRoot{"snp.root", "the root is AMD's",
                                 "a root that a policy names proves what its owner says, no more"};
inline constexpr CheckKind kSigner{"snp.signer", "the kind of key and its owner are accepted",
                                   "set \"allow_vlek\" or add the owner to \"providers\" in the "
                                   "policy's \"snp\", if you trust who runs that cloud"};
inline constexpr CheckKind kDebug{"snp.debug",
                                  "the guest's memory cannot be read by the host for debugging",
                                  "start the guest without debugging (policy bit 19), or set "
                                  "\"insecure_allow_debug\": true in the "
                                  "policy's \"snp\" to develop"};
inline constexpr CheckKind kGuestPolicy{"snp.guest_policy", "what the guest was started to allow",
                                        kDoRestart};
inline constexpr CheckKind kPlatformInfo{
    "snp.platform_info", "what the machine was booted with",
    "have the machine booted with a BIOS that checks memory aliases, or lower the policy"};
inline constexpr CheckKind kVmpl{
    "snp.vmpl", "who asked for the report was privileged enough",
    "have the report asked for at a lower VMPL, or raise \"vmpl_max\""};
inline constexpr CheckKind kGuestSvn{"snp.guest_svn", "the guest's security version is high enough",
                                     "start a newer guest image, or lower \"guest_svn_min\""};
inline constexpr CheckKind kTcbOrder{
    "snp.tcb_order", "reported and committed firmware are not newer than what runs",
    "ask the operator: the firmware contradicts itself, or was rolled back"};
inline constexpr CheckKind kTcb{"snp.tcb", "the firmware is new enough",
                                "update the machine's firmware, or lower \"tcb_min\""};
inline constexpr CheckKind kLaunchTcb{"snp.launch_tcb",
                                      "the firmware was new enough when the guest was started",
                                      "start the guest again on the updated machine"};
inline constexpr CheckKind kFirmware{
    "snp.firmware", "the firmware's version is high enough, and committed as the policy asks",
    "update the machine's firmware and have it committed (snphost commit), or lower "
    "\"firmware_min\""};
inline constexpr CheckKind kMitigations{"snp.mitigations", "the mitigations asked for are in place",
                                        "update the machine's firmware, start the guest again"};
inline constexpr CheckKind kLaunch{
    "snp.launch", "the guest was started with an image, kernel and processors of the policy",
    "compare image, kernel, command line, processors and guest features with what was started; add "
    "the image to the collateral"};
inline constexpr CheckKind kIdBlock{"snp.id_block",
                                    "the guest was started by the ID block among the collateral",
                                    "if the guest is another one on purpose, give its ID block and "
                                    "authentication information"};
inline constexpr CheckKind kMeasurement{"snp.measurement",
                                        "a measured value is one of the policy's", kDoPin};

}  // namespace casemate::verify::snp::code
