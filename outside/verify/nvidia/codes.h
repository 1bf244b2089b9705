// SPDX-License-Identifier: Apache-2.0
#pragma once
// The checks of a GPU's or a switch's measurements: what each looks at, and what to do when it
// fails.
//
//   Owns     constants.
//   Threads  constants.
//   Trust    our own words.
//   Fails    cannot.

#include "outside/verdict/accepted_values.h"

namespace casemate::verify::nvidia::code {

inline constexpr std::string_view kDoLeaveForged =
    "do not use this device: the answer was changed, or is no answer of it";
inline constexpr std::string_view kDoPin =
    "if the change is intended (a driver or VBIOS update), take the new value into the policy's "
    "\"nvidia\"";

inline constexpr CheckKind kForm{"nvidia.form", "the answer is laid out as SPDM 1.1 does",
                                 "give request and response together, as the driver recorded them"};
inline constexpr CheckKind kSignature{
    "nvidia.signature", "the answer is signed by a key that there is a certificate for",
    "add the device's certificates to the collateral; if they are there, do not use this device"};
inline constexpr CheckKind kChain{
    "nvidia.chain", "the device's certificates lead to a root of the policy",
    "add the root's key hash to \"roots\" in the policy's \"nvidia\", if you know whose it is"};
inline constexpr CheckKind kValidity{
    "nvidia.validity", "all certificates are valid at this time",
    "compare the clocks; if they are right, fetch newer certificates"};
inline constexpr CheckKind kRevocation{
    "nvidia.revocation", "no certificate was revoked",
    "fetch current revocation lists; if a certificate is listed, "
    "do not use this device"};
inline constexpr RevocationAdvice kRevoked{
    "do not use this device: its maker has taken its word for it back, and newer lists say the "
    "same",
    "add the revocation lists of who certified the device to the collateral, or set "
    "\"require_crl\" in the policy's \"nvidia\" to false",
    "compare the clock with the list's times; if it is right, fetch the current revocation lists "
    "of who certified the device, and remove the one that does not count"};
inline constexpr CheckKind kNonce{"nvidia.nonce", "the request carried our nonce",
                                  "ask again with a fresh nonce: somebody replays an old answer"};
inline constexpr CheckKind kFwid{"nvidia.fwid", "the certificate is for the firmware that runs",
                                 kDoLeaveForged};
inline constexpr CheckKind kDevice{"nvidia.device", "the device is of the kind that is meant",
                                   "set \"device\" in the policy's \"nvidia\" to what is there"};
inline constexpr CheckKind kVersion{"nvidia.firmware", "driver and VBIOS are those of the policy",
                                    kDoPin};
inline constexpr CheckKind kGolden{"nvidia.golden", "a measured block is one of the policy's",
                                   kDoPin};

}  // namespace casemate::verify::nvidia::code
