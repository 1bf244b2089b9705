// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a certificate says that its key is for (RFC 5280, sections 4.2.1.3 and 4.2.1.12), in TCG's
// words.
//
//   Owns     constants.
//   Threads  pure functions.
//   Trust    the certificate may be hostile until its chain is checked.
//   Fails    cannot: what cannot be read is not the wanted use.

#include "outside/verify/x509/certificates.h"

namespace casemate::verify {

inline constexpr const char* kEndorsementKeyUse = "2.23.133.8.1";  // tcg-kp-EKCertificate
inline constexpr const char* kAttestationKeyUse = "2.23.133.8.3";  // tcg-kp-AIKCertificate

bool names_key_use(const X509Certificate& certificate, const char* use);
// It names uses at all.
bool restricts_key_use(const X509Certificate& certificate);

// Its key usage lets the key sign what is neither certificate nor list; so it does where there is
// no such extension.
bool may_sign(const X509Certificate& certificate);
// And lets keys be enciphered for it.
bool may_encipher_keys(const X509Certificate& certificate);

}  // namespace casemate::verify
