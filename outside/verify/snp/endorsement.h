// SPDX-License-Identifier: Apache-2.0
#pragma once
// Endorsement: what a certificate of AMD says about the key that signs reports. A VCEK belongs to
// one chip at one level of firmware; a VLEK to whoever runs a cloud, at one level.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    hostile until the certificate's chain was checked.
//   Fails    kInvalid with the extension and what is wrong with it.

#include <optional>
#include <string>
#include <vector>

#include "outside/verify/snp/report.h"
#include "outside/verify/x509/certificates.h"

namespace casemate::verify::snp {

struct Endorsement {
  bool vlek = false;
  std::string product;                         // "Milan-B0"
  std::vector<uint8_t> hardware_id;            // of a VCEK; raw bytes, without a tag
  std::string provider;                        // of a VLEK
  std::array<std::optional<uint8_t>, 10> svn;  // by the last arc of its extension
};

// Whether a certificate has the extension that names a product, which all of these have.
bool endorses_reports(const X509Certificate& certificate);
Result<Endorsement> read_endorsement(const X509Certificate& certificate);

// The security versions that the certificate names, laid out as `product` does. Fails where one is
// missing.
Result<Tcb> certified_tcb(const Endorsement& endorsement, Product product);

// The subject's common name; empty when it has none, or two.
std::string common_name(const X509Certificate& certificate);

}  // namespace casemate::verify::snp
