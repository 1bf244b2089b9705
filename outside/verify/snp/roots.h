// SPDX-License-Identifier: Apache-2.0
#pragma once
// AMD's root keys: the SHA-384 of the SubjectPublicKeyInfo of each product's ARK, as AMD's key
// distribution service serves it (https://kdsintf.amd.com/vcek/v1/PRODUCT/cert_chain, second
// certificate; the VLEK's chain ends at the same key). The certificates themselves come as
// collateral.
//
//   Owns     constants.
//   Threads  constants.
//   Trust    the anchors of all that is proved about this format, unless a policy names others.
//   Fails    cannot.

#include <vector>

#include "base/crypto.h"
#include "outside/verify/snp/report.h"

namespace casemate::verify::snp {

struct Root {
  Product product = Product::kMilan;
  Sha384Digest key{};
  friend bool operator==(const Root&, const Root&) = default;
};

std::vector<Root> vendor_roots();

}  // namespace casemate::verify::snp
