// SPDX-License-Identifier: Apache-2.0
#pragma once
// Intel's evidence, from a quote to what it proves of an SGX enclave or a TDX guest.
//
//   who signed?    the attestation key; the quoting enclave vouches for it; the platform's key
//   (PCK)
//                  for that; a chain to Intel's root for the PCK; no list revokes one of these
//   how current?   Intel's signed TCB info and QE identity, in force at the given time
//   good enough?   debug, measurements, TCB status and advisories against the rules
//
// What breaks the proof stops the rest; a list that is missing or old and a rule's "no" do not, so
// that one verdict shows all that there is to do. Debug and measurements are judged as soon as they
// are proved, before the collateral, which may be missing.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    quote and collateral may be hostile in every byte; the root's key is a constant here.
//   Fails    cannot: what is wrong is in the checks.

#include "outside/verdict/checks.h"
#include "outside/verdict/platform.h"
#include "outside/verify/collateral/collateral.h"
#include "outside/verify/intel/quote.h"
#include "outside/verify/intel/rules.h"

namespace casemate::verify::intel {

// SHA-384 of the key (SPKI DER) of "Intel SGX Root CA", valid 2018-05-21 to 2049-12-31, as Intel
// publishes it at
// certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer
inline constexpr Sha384Digest kRootKeyHash = {
    0x3c, 0xdf, 0x1f, 0xeb, 0x4e, 0x5e, 0xac, 0x62, 0x91, 0x70, 0xf1, 0x76, 0x25, 0x64, 0x8d, 0xa4,
    0xa1, 0x6e, 0xff, 0xa2, 0x2a, 0xe2, 0xbc, 0xca, 0x03, 0x0b, 0x43, 0x58, 0xa8, 0x96, 0x1c, 0x1b,
    0xf2, 0x6c, 0xf5, 0x4a, 0x95, 0x98, 0xcd, 0x6a, 0x2d, 0x4a, 0x9c, 0xbb, 0x62, 0x37, 0x7d, 0x22};

// Judges `quote` as of `now_unix` and writes each check. What is returned is proved when none of
// them failed; before that it is what the quote claims.
Platform appraise(Bytes quote, const Rules& rules, const Collateral& collateral, int64_t now_unix,
                  Checks& checks);

}  // namespace casemate::verify::intel
