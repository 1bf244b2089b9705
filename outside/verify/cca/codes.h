// SPDX-License-Identifier: Apache-2.0
#pragma once
// The checks of an Arm CCA token: what each looks at, and what to do when it fails.
//
//   Owns     constants.
//   Threads  constants.
//   Trust    our own words.
//   Fails    cannot.

#include "outside/verdict/checks.h"

namespace casemate::verify::cca::code {

inline constexpr std::string_view kDoLeaveForged =
    "do not use this machine: the token was changed, or pieced together of two";
inline constexpr std::string_view kDoPin =
    "if the change is intended, take the new value into the policy's \"cca\"";

inline constexpr CheckKind kForm{"cca.form", "the token is a platform's and a realm's together",
                                 "give the token as the realm got it: CBOR with tag 399"};
inline constexpr CheckKind kPlatformForm{"cca.platform_form",
                                         "the platform's claims are complete and well-formed",
                                         "ask the operator: the platform's firmware is not known"};
inline constexpr CheckKind kKey{
    "cca.key", "there is a sound key for this platform",
    "add the platform's key, as its maker publishes it (JWK), to the collateral or to the policy's "
    "\"anchors\""};
inline constexpr CheckKind kPlatformSignature{
    "cca.platform_signature", "the platform's token is signed by that key", kDoLeaveForged};
inline constexpr CheckKind kRoot{
    "cca.root", "the policy trusts that key",
    "add the key's hash to \"anchors\" in the policy's \"cca\", if you "
    "know whose it is; otherwise do not use this machine"};
inline constexpr CheckKind kIdentity{"cca.identity", "the key is of this platform", kDoLeaveForged};
inline constexpr CheckKind kRealmForm{"cca.realm_form",
                                      "the realm's claims are complete and well-formed",
                                      "ask the operator: the realm's monitor is not known"};
inline constexpr CheckKind kRealmSignature{
    "cca.realm_signature", "the realm's token is signed by the key that it names", kDoLeaveForged};
inline constexpr CheckKind kBinder{"cca.binder", "the platform vouches for the realm's key",
                                   kDoLeaveForged};
inline constexpr CheckKind kLifecycle{
    "cca.lifecycle", "the platform is secured, and open to nobody's debugger",
    "use a platform in production state, or set \"insecure_allow_debug\": true in the policy's "
    "\"cca\" to develop"};
inline constexpr CheckKind kReference{"cca.reference",
                                      "all that runs is among the reference values", kDoPin};
inline constexpr CheckKind kMeasurement{"cca.measurement", "a value is one of the policy's",
                                        kDoPin};

}  // namespace casemate::verify::cca::code
