// SPDX-License-Identifier: Apache-2.0
#pragma once
// RA-TLS certificates of others: X.509 certificates that carry a quote, bound to their key.
//
//   extension 2.23.133.5.4.9 = CBOR tag 60000 [quote, claims], claims = bytes of CBOR
//   {"pubkey-hash": bytes of CBOR [algorithm, hash of the key]}; report data = SHA-256(claims),
//   then zeros
//
// That is interoperable RA-TLS. Gramine's older form is read too: a bare quote whose report data
// are SHA-256(key), in the extension 1.2.840.113741.1337.6, also where that OID was encoded twice.
// Extensions that other SDKs use for their own are passed over; so are claims beside the key's
// hash.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the certificate may be hostile; its own signature and dates prove nothing of who
//            made it, and are checked as any certificate's.
//   Fails    cannot: what is wrong is in the checks.

#include "outside/verify/intel/intel.h"

namespace casemate::verify::intel {

// Whether the certificate carries evidence in one of the two forms.
bool carries_quote(const X509Certificate& certificate);

// The quote in it, of whichever root: the interoperable one, where it carries both. Nothing of it
// was checked. Fails where there is none, or its form is not read.
Result<std::vector<uint8_t>> quote_in(const X509Certificate& certificate);

// Judges the certificate, the binding of each quote in it to its key, and then the quote (the
// interoperable one, where it carries both).
Platform appraise_certificate(const X509Certificate& certificate, const Rules& rules,
                              const Collateral& collateral, int64_t now_unix, Checks& checks);

}  // namespace casemate::verify::intel
