// SPDX-License-Identifier: Apache-2.0
#pragma once
// TpmSigner: makes TPM quotes that pass, for tests and fuzzing. It plays TPM and monitor, with a
// key of any kind that the verifier reads; a test bends a part, before or after the signature.
//
//   Owns     its key.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    a failure of libcrypto stops the process.

#include <openssl/evp.h>

#include <memory>
#include <vector>

#include "wire/tpm/quote.h"

namespace casemate::verify::testing {

enum class TpmKeyKind { kP256, kP384, kRsa };

class TpmSigner final {
 public:
  explicit TpmSigner(TpmKeyKind kind = TpmKeyKind::kP256);

  // Fills in head, key, PCRs, events and TPMS_ATTEST from what stands below.
  void make();
  // Signs TPMS_ATTEST as it is.
  void sign();
  [[nodiscard]] std::vector<uint8_t> quote() const;

  // What make() begins with.
  ByteArray<64> report_data{};
  int64_t issued_unix = 1'772'323'200;
  Sha384Digest platform{};
  uint32_t flags = 0;
  uint32_t attributes = tpm::kFixedTpm | tpm::kFixedParent | tpm::kSensitiveDataOrigin |
                        tpm::kUserWithAuth | tpm::kNoDa | tpm::kRestricted | tpm::kSign;
  uint32_t pcrs = tpm::kQuotedPcrs;
  uint16_t bank = tpm::kSha256;
  uint32_t banks = 1;  // how many the selection has, all alike
  uint32_t magic = 0xFF544347;
  uint16_t type = 0x8018;
  uint8_t clock_safe = 1;

  // What it makes.
  TpmQuoteHead head;
  std::vector<uint8_t> attest;
  std::vector<uint8_t> signature;
  std::vector<uint8_t> key;
  std::vector<uint8_t> certificate;
  std::vector<uint8_t> pcr_values;
  std::vector<uint8_t> events;

 private:
  void make_key();
  void make_attest();
  TpmKeyKind kind_;
  std::shared_ptr<EVP_PKEY> pair_;
};

}  // namespace casemate::verify::testing
