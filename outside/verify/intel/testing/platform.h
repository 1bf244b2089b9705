// SPDX-License-Identifier: Apache-2.0
#pragma once
// TestPlatform: makes quotes and collateral that pass under a root of its own, for tests and
// fuzzing. It plays Intel, the platform and the quoting enclave at once; a test bends one part
// before or after the signatures.
//
//   Owns     its keys.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    a failure of libcrypto stops the process.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "outside/verify/collateral/collateral.h"
#include "outside/verify/intel/rules.h"
#include "outside/verify/x509/testing/authority.h"

namespace casemate::verify::intel::testing {

using verify::testing::Authority;

// 2026-03-01T00:00:00Z; statements are in force from a day before to 29 days after.
inline constexpr int64_t kNow = 1'772'323'200;
inline constexpr int64_t kDay = 24 * 3600;

enum class Kind { kSgx3, kSgx5, kTdx4, kTdx5, kTdx15 };

class TestPlatform final {
 public:
  explicit TestPlatform(Kind kind);

  // Header, body and all that signs them; `left_over` goes behind.
  [[nodiscard]] std::vector<uint8_t> quote() const;
  // Everything in force, in the form of a quote library's bundle.
  [[nodiscard]] Collateral collateral() const;
  // Accepts this platform's root.
  [[nodiscard]] Rules rules() const;
  // The PCK's extension over what stands here.
  [[nodiscard]] std::vector<uint8_t> pck_extension() const;
  // Makes the PCK anew, over the extension as it is now.
  void certify();
  [[nodiscard]] static std::string time_text(int64_t unix_seconds);

  // Fields of the body, by their offset in it.
  void set(size_t offset, Bytes value);

  Kind kind;
  Authority root, ca, pck, tcb_signer, attestation;
  std::vector<uint8_t> header;
  std::vector<uint8_t> body;
  std::vector<uint8_t> qe_report;  // without what binds the key
  std::vector<uint8_t> qe_data = {1, 2, 3};
  std::vector<uint8_t> left_over;
  // What the PCK's certificate says.
  ByteArray<16> components{};
  uint16_t pce_svn = 13;
  // What collateral() signs.
  nlohmann::ordered_json tcb_info;
  nlohmann::ordered_json qe_identity;
  std::vector<X509Certificate> revoked;  // by whichever issued them
  int64_t lists_until = kNow + 29 * kDay;
  bool with_root_list = true;
  bool with_ca_list = true;

 private:
  void fill_body();
  void fill_statements();
};

// A level for the TCB info: all components are `svn`, and the PCE's version is 13.
nlohmann::ordered_json level_of(uint32_t svn, std::string_view status, bool tdx);

}  // namespace casemate::verify::intel::testing
