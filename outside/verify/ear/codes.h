// SPDX-License-Identifier: Apache-2.0
#pragma once
// The checks of an entity attestation token: what each looks at, and what to do when it fails.
//
//   Owns     constants.
//   Threads  constants.
//   Trust    our own words.
//   Fails    cannot.

#include "outside/verdict/checks.h"

namespace casemate::verify::eat::code {

inline constexpr std::string_view kDoLeave =
    "do not use this machine, or ask whoever judged it why";

inline constexpr CheckKind kForm{"eat.form", "the token is a signed web token, JSON or CBOR",
                                 "give a compact JWT, or a CWT in COSE_Sign1"};
inline constexpr CheckKind kSignature{
    "eat.signature", "the token is signed by a key of the policy",
    "add the signer's public key (JWK) to \"keys\" in the policy's \"eat\", if you trust it"};
inline constexpr CheckKind kClaims{"eat.claims", "the claims are well-formed",
                                   "ask whoever made the token: it is none of RFC 9711"};
inline constexpr CheckKind kProfile{"eat.profile", "the token is of a profile that is accepted",
                                    "add the profile to \"profiles\" in the policy's \"eat\""};
inline constexpr CheckKind kTime{"eat.time", "the token is of a believable time, and not expired",
                                 "compare the clocks; if they are right, ask for a fresh token"};
inline constexpr CheckKind kNonce{"eat.nonce", "the token answers the nonce",
                                  "ask again with a fresh nonce: somebody replays an old token"};
inline constexpr CheckKind kUeid{"eat.ueid", "the token is of a device of the policy",
                                 "take the device into the policy's \"eat\", or do not use it"};
inline constexpr CheckKind kDebug{
    "eat.debug", "debugging is off",
    "use a device with debugging off, or set \"insecure_allow_debug\": true to develop"};
inline constexpr CheckKind kStatus{"eat.status", "whoever judged the device affirms it", kDoLeave};

}  // namespace casemate::verify::eat::code
