// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reporter: plays AMD for tests and fuzzing: root, authority, a processor's key, and the firmware
// that signs reports with it. What it makes passes; a test bends one part, before or after the
// signatures.
//
//   Owns     its keys.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    a failure of libcrypto stops the process.

#include "outside/verify/snp/snp.h"
#include "outside/verify/testing/issuer.h"

namespace casemate::verify::snp::testing {

inline constexpr int64_t kNow = 1'772'323'200;

class Reporter final {
 public:
  explicit Reporter(Product made_for = Product::kGenoa, bool vlek = false);

  // Sets the extension 1.3.6.1.4.1.3704.1.`tail` of the leaf, or takes it away.
  void set(const std::string& tail, std::vector<uint8_t> content);
  void drop(const std::string& tail);

  // Signs the report with the leaf's key.
  void sign();
  // Whatever stands in the report now, as a file.
  [[nodiscard]] std::vector<uint8_t> evidence() const;
  // The three certificates as their forms stand now: leaf, authority, root.
  [[nodiscard]] std::vector<std::vector<uint8_t>> certificates() const;
  [[nodiscard]] Collateral collateral() const;
  // Rules that know the root.
  [[nodiscard]] Rules rules() const;

  Product product;
  SigningKey root_key;
  SigningKey authority_key;
  SigningKey leaf_key;
  verify::testing::CertificateForm root;
  verify::testing::CertificateForm authority;
  verify::testing::CertificateForm leaf;
  Report report;
};

std::vector<uint8_t> number_der(uint8_t value);
std::vector<uint8_t> text_der(std::string_view text);

// The host's table of certificates that holds `blobs`.
std::vector<uint8_t> table_of(const std::vector<std::vector<uint8_t>>& blobs);

}  // namespace casemate::verify::snp::testing
