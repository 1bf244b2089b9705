// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pck: what the certificate of a platform's certified key says about it, in Intel's extension
// 1.2.840.113741.1.13.1. These are the security versions to compare: those in a quote's own body
// are of another time.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    as far as the certificate's chain.
//   Fails    kInvalid with the field that is missing, there twice or malformed.

#include <cstdint>

#include "outside/verify/x509/certificates.h"

namespace casemate::verify::intel {

struct Pck {
  ByteArray<16> components{};
  uint16_t pce_svn = 0;
  ByteArray<2> pce_id{};
  ByteArray<6> fmspc{};  // which family of platforms
};

Result<Pck> read_pck(const X509Certificate& certificate);

}  // namespace casemate::verify::intel
