// SPDX-License-Identifier: Apache-2.0
#pragma once
// Identity: the gateway's self-signed certificate, which carries the evidence about its own key
// (RA-TLS). A client that verifies the evidence needs no certificate authority; one that does not
// sees a certificate that nobody vouches for, as it should.
//
//   Owns     nothing but the certificate that is returned.
//   Threads  pure function of its arguments.
//   Trust    names come from the configuration, evidence from the monitor.
//   Fails    kInvalid for a name that is neither DNS name nor IP address, or too much evidence;
//            kPlatform when libcrypto fails.

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "isolated/gateway/identity/tls_key.h"

namespace casemate::gateway {

// What a certificate carries (wire/evidence): encode_quote() and encode_tokens().
struct CarriedEvidence {
  Bytes quote{};
  Bytes tokens{};
};

// The X.509 certificate (RFC 5280), DER: version 3, P-256 with SHA-256, a random serial, subject
// and issuer CN=casemate gateway, `names` as subject alternative names, valid from five minutes ago
// for 90 days, and each part of `evidence` that is not empty as the value of its extension, which
// is not critical.
Result<std::vector<uint8_t>> make_certificate(const TlsKey& key, std::span<const std::string> names,
                                              const CarriedEvidence& evidence, const Clock& clock,
                                              Random& random);

}  // namespace casemate::gateway
