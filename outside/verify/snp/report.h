// SPDX-License-Identifier: Apache-2.0
#pragma once
// Report: what the firmware of an AMD secure processor signs about a guest (SEV-SNP firmware ABI,
// AMD 56860, ATTESTATION_REPORT), versions 2 to 5.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    everything is hostile until its signature was checked; what stands behind the
//            signature is signed by nobody and must be zero.
//   Fails    kInvalid with what was expected.

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"

namespace casemate::verify::snp {

// Families of processors, each with a root key of its own.
enum class Product : uint8_t { kMilan, kGenoa, kTurin };
inline constexpr std::array<std::string_view, 3> kProductNames = {"Milan", "Genoa", "Turin"};
inline std::string_view name_of(Product product) {
  return kProductNames[static_cast<size_t>(product)];
}

// A product by how a certificate names it, "Milan-B0". Bergamo and Siena have Genoa's root.
std::optional<Product> product_named(std::string_view text);
// A product by CPUID (processor programming references 55898, 55901, 57896).
std::optional<Product> product_of_cpu(uint8_t family, uint8_t model);

// Security version numbers of the firmware's parts, a byte each. Which byte is whose depends on the
// product.
using Tcb = ByteArray<8>;

// One part of the firmware: its byte in a Tcb, and the extension of a certificate, below
// 1.3.6.1.4.1.3704.1.3, that names its version.
struct TcbPart {
  std::string_view key;  // as policies name it; empty: reserved
  std::string_view title;
  size_t byte;
  uint32_t arc;
};
std::span<const TcbPart> tcb_parts(Product product);
// "boot loader 3, TEE 0, SNP 8, microcode 115"
std::string tcb_text(Product product, const Tcb& tcb);

struct FirmwareVersion {
  uint8_t build = 0;
  uint8_t minor = 0;
  uint8_t major = 0;
  uint8_t reserved = 0;
};

struct Report {
  static constexpr uint32_t kVersionMin = 2;
  static constexpr uint32_t kVersionMax = 5;
  static constexpr uint32_t kEcdsaP384Sha384 = 1;

  uint32_t version = 0;
  uint32_t guest_svn = 0;
  uint64_t policy = 0;
  ByteArray<16> family_id{};
  ByteArray<16> image_id{};
  uint32_t vmpl = 0;
  uint32_t signature_algorithm = 0;
  Tcb current_tcb{};
  uint64_t platform_info = 0;
  uint32_t key_info = 0;
  uint32_t reserved_0x4c = 0;
  ByteArray<64> report_data{};
  ByteArray<48> measurement{};
  ByteArray<32> host_data{};
  ByteArray<48> id_key_digest{};
  ByteArray<48> author_key_digest{};
  ByteArray<32> report_id{};
  ByteArray<32> report_id_ma{};
  Tcb reported_tcb{};
  uint8_t cpu_family = 0;  // these three: version 3 and later
  uint8_t cpu_model = 0;
  uint8_t cpu_stepping = 0;
  ByteArray<21> reserved_0x18b{};
  ByteArray<64> chip_id{};
  Tcb committed_tcb{};
  FirmwareVersion current_version;
  FirmwareVersion committed_version;
  Tcb launch_tcb{};
  uint64_t launch_mitigations = 0;  // these two: version 5
  uint64_t current_mitigations = 0;
  ByteArray<152> reserved_0x208{};
  ByteArray<72> signature_r{};  // little-endian
  ByteArray<72> signature_s{};
  ByteArray<368> unsigned_rest{};

  [[nodiscard]] Bytes signed_bytes() const { return bytes_of(*this).first(0x2a0); }
  [[nodiscard]] bool chip_id_masked() const { return (key_info >> 1 & 1) != 0; }
  static constexpr uint32_t kSignedByVcek = 0;
  static constexpr uint32_t kSignedByVlek = 1;
  // One of these, or 7: nobody.
  [[nodiscard]] uint32_t signer() const { return key_info >> 2 & 7; }
};
static_assert(sizeof(Report) == 1184 && offsetof(Report, signature_r) == 0x2a0);
static_assert(offsetof(Report, reported_tcb) == 0x180 && offsetof(Report, chip_id) == 0x1a0);

// Evidence as it was found: a report, binary or as hexadecimal text, and the certificates that
// came in the host's table behind it or apart (configfs-tsm: auxblob).
struct ReportFile {
  Report report;
  std::vector<uint8_t> table;
};
Result<ReportFile> read_report(Bytes evidence);
// Whether read_report() would take the first bytes for a report.
bool looks_like_report(Bytes evidence);

// r || s, 48 bytes each, big-endian. Fails where a number is longer, or something stands behind
// them.
Result<Signature> signature_of(const Report& report);

// The blobs of a host's table of certificates: entries {GUID, offset u32, size u32}, ended by a
// zero one. What each is is for its reader to see: the table is signed by nobody. Nothing when
// these bytes are no such table.
std::vector<Bytes> table_blobs(Bytes table);

}  // namespace casemate::verify::snp
