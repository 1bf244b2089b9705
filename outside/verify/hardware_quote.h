// SPDX-License-Identifier: Apache-2.0
#pragma once
// The quote of a hardware root or of the one that plays hardware, taken apart: which root and
// provider it names, and the blobs that the reader of the provider's format takes. See
// HardwareQuote in wire/evidence.
//
//   provider        report               auxiliary
//   sev_guest       SEV-SNP report       table of certificates, or empty
//   tdx_guest       TDX quote            empty
//   arm_cca_guest   CCA token            empty
//   dcap            SGX quote            empty                        (root gramine)
//   casemate_dev    SoftwareQuote        three certificates           (root software: quote.h)
//
// No provider of these adds a manifest to a report that nobody asked a service for.
//
//   Owns     views of the bytes that it was read from.
//   Threads  pure functions.
//   Trust    the bytes may be hostile. What they say of root and provider is no proof of anything:
//            the report is, once its own signature has been followed.
//   Fails    kInvalid with what is wrong; kUnsupported for a version or a root that is not known.

#include <string_view>

#include "base/bytes.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify {

struct HardwareBlobs {
  RootKind root = RootKind::kTsm;  // or kGramine, kSoftware
  std::string provider;            // 1 to 31 printable characters
  Bytes report;                    // never empty
  Bytes auxiliary;
  Bytes manifest;
};

// Whether the bytes are meant to be one.
bool hardware_quote(Bytes bytes);
// Every byte is part of one of the fields.
Result<HardwareBlobs> read_hardware_quote(Bytes bytes);

}  // namespace casemate::verify
