// SPDX-License-Identifier: Apache-2.0
#pragma once
// Quotes of Intel's DCAP, versions 3, 4 and 5: what an SGX enclave or a TDX guest measures, signed
// by the quoting enclave, whose own report is signed by the platform's certified key (PCK).
//
//   header | body | size | signature, key, QE report, its signature, QE data, PCK chain | left over
//   `--- signed ---'
//
//   Owns     nothing: views point into the bytes that were read.
//   Threads  pure functions.
//   Trust    the bytes may be hostile; what is read here is a claim until intel.h has checked it.
//   Fails    kInvalid with the part that is wrong, kUnsupported for a form that is not read,
//            kTooLarge beyond kQuoteBytes.

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"

namespace casemate::verify::intel {

// Quotes that were seen have 5 to 8 KiB, padding included.
inline constexpr size_t kQuoteBytes = 64 << 10;

// An SGX report: an enclave's, or the quoting enclave's own. 384 bytes.
struct SgxReport {
  static constexpr size_t kBytes = 384;
  static constexpr uint64_t kDebug = 2;  // of the first half of the attributes

  ByteArray<16> cpu_svn{};
  uint32_t misc_select = 0;
  ByteArray<16> attributes{};
  Sha256Digest mrenclave{};
  Sha256Digest mrsigner{};
  uint16_t product_id = 0;
  uint16_t security_version = 0;
  ByteArray<64> report_data{};
};

// A TDX guest's report, of TDX 1.0 or 1.5. 584 or 648 bytes.
struct TdReport {
  static constexpr size_t kBytes = 584;
  static constexpr size_t kBytes15 = 648;
  // Bit 0 says debug; the rest of the byte is reserved for further ways to look into a guest.
  static constexpr uint64_t kDebug = 0xFF;

  ByteArray<16> tee_tcb_svn{};
  Sha384Digest mrseam{};
  Sha384Digest mrsignerseam{};
  uint64_t seam_attributes = 0;
  uint64_t attributes = 0;
  uint64_t xfam = 0;
  Sha384Digest mrtd{};
  Sha384Digest mrconfigid{};
  Sha384Digest mrowner{};
  Sha384Digest mrownerconfig{};
  std::array<Sha384Digest, 4> rtmr{};
  ByteArray<64> report_data{};
  bool tdx15 = false;  // then the rest is there
  ByteArray<16> tee_tcb_svn2{};
  Sha384Digest mrservicetd{};
};

struct Quote {
  uint16_t version = 0;
  bool td = false;  // `guest` is filled in; otherwise `enclave`
  SgxReport enclave;
  TdReport guest;
  Bytes signed_bytes;  // header and body

  ByteArray<64> signature{};  // r || s, by `key`
  ByteArray<64> key{};        // x || y on P-256
  Bytes qe_report_bytes;
  SgxReport qe_report;
  ByteArray<64> qe_signature{};  // by the PCK
  Bytes qe_data;                 // the report's data vouch for SHA-256(key, qe_data)
  Bytes chain;                   // PEM, the PCK certificate first
  Bytes left_over;               // behind the signature: nothing vouches for it
};

// Whether this begins as a quote does; what follows may be broken.
bool looks_like_quote(Bytes bytes);

Result<Quote> read_quote(Bytes bytes);

}  // namespace casemate::verify::intel
