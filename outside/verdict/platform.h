// SPDX-License-Identifier: Apache-2.0
#pragma once
// Platform: what a root of trust says about a machine or an enclave, brought from its own format
// into one form. Each format has a reader (`outside/verify/snp`, ...), which checks the evidence
// against collateral and its rules, writes each check into a verdict, and fills this in.
//
//   Owns     values.
//   Threads  a value type.
//   Trust    the root's word only where the checks beside it passed.
//   Fails    cannot.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"

namespace casemate::verify {

// One value of what was measured, by the name its format's specification gives it: "mrtd", "pcr7".
struct Measurement {
  std::string name;
  std::vector<uint8_t> value;
};

// How current the platform's trusted computing base is, in the words of its vendor.
struct TcbState {
  std::string status;                   // "UpToDate"; empty where the format knows none
  std::string date;                     // of the level that matched, as the vendor writes it
  std::vector<std::string> advisories;  // "INTEL-SA-00289"
  uint32_t evaluation_number = 0;       // tcbEvaluationDataNumber; 0: none
};

struct Platform {
  std::string_view root;            // "software", "sev-snp", "tdx", "sgx", "arm-cca", "tpm"
  bool development = false;         // such a root proves nothing against whoever runs the machine
  std::vector<uint8_t> root_key;    // the trust anchor that it ends at, SPKI DER
  std::vector<uint8_t> device_key;  // of a device that has one of its own, SPKI DER
  ByteArray<64> report_data{};      // what its user had it vouch for; shorter values end in zeros
  std::vector<Measurement> measurements;
  Sha384Digest
      digest{};  // one value that stands for all of them: digest_of(), unless a root has one
  uint32_t security_version = 0;
  bool debug = false;                  // its memory can be read from outside
  std::optional<int64_t> issued_unix;  // none: the format carries no time
  TcbState tcb;
};

// SHA-384 over the root's name and every measurement's name and value, each as a field with its
// length (Sha384::field).
Sha384Digest digest_of(std::string_view root, std::span<const Measurement> measurements);

}  // namespace casemate::verify
