// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/report.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"

namespace casemate::verify::snp {
namespace {

constexpr std::array<TcbPart, 8> kPartsOfMilanAndGenoa = {{{"boot_loader", "boot loader", 0, 1},
                                                           {"tee", "TEE", 1, 2},
                                                           {"", "reserved", 2, 4},
                                                           {"", "reserved", 3, 5},
                                                           {"", "reserved", 4, 6},
                                                           {"", "reserved", 5, 7},
                                                           {"snp", "SNP", 6, 3},
                                                           {"microcode", "microcode", 7, 8}}};
constexpr std::array<TcbPart, 8> kPartsOfTurin = {{{"fmc", "FMC", 0, 9},
                                                   {"boot_loader", "boot loader", 1, 1},
                                                   {"tee", "TEE", 2, 2},
                                                   {"snp", "SNP", 3, 3},
                                                   {"", "reserved", 4, 5},
                                                   {"", "reserved", 5, 6},
                                                   {"", "reserved", 6, 7},
                                                   {"microcode", "microcode", 7, 8}}};

constexpr size_t kTableEntry = 24;
constexpr size_t kTableEntries = 32;  // five kinds are defined
constexpr size_t kTableBytes = 64 << 10;

// As hexadecimal text it may end with a newline; nothing else is passed over.
std::optional<std::vector<uint8_t>> binary_of(Bytes evidence) {
  std::string_view text = casemate::text_of(evidence);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() != 2 * sizeof(Report)) return std::nullopt;
  auto bytes = from_hex(text);
  if (!bytes) return std::nullopt;
  return *std::move(bytes);
}

Error no_report(std::string text) { return {Code::kInvalid, std::move(text)}; }

bool all_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<Product> product_named(std::string_view text) {
  const std::string_view name = text.substr(0, text.find('-'));
  if (name == "Bergamo" || name == "Siena") return Product::kGenoa;
  const auto found = std::ranges::find(kProductNames, name);
  if (found == kProductNames.end()) return std::nullopt;
  return static_cast<Product>(found - kProductNames.begin());
}

std::optional<Product> product_of_cpu(uint8_t family, uint8_t model) {
  if (family == 0x19 && model <= 0x0f) return Product::kMilan;
  if (family == 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf)))
    return Product::kGenoa;
  if (family == 0x1a && model <= 0x1f) return Product::kTurin;
  return std::nullopt;
}

std::span<const TcbPart> tcb_parts(Product product) {
  return product == Product::kTurin ? kPartsOfTurin : kPartsOfMilanAndGenoa;
}

std::string tcb_text(Product product, const Tcb& tcb) {
  std::string text;
  for (const TcbPart& part : tcb_parts(product)) {
    if (part.key.empty() && tcb[part.byte] == 0) continue;
    text += formatted("{}{} {}", text.empty() ? "" : ", ", part.title, tcb[part.byte]);
  }
  return text;
}

bool looks_like_report(Bytes evidence) {
  const auto decoded = binary_of(evidence);
  const Bytes bytes = decoded ? Bytes(*decoded) : evidence;
  if (bytes.size() < sizeof(Report)) return false;
  // The version, and the number of the only algorithm there is.
  return bytes[0] >= Report::kVersionMin && bytes[0] <= Report::kVersionMax && bytes[1] == 0 &&
         bytes[2] == 0 && bytes[3] == 0 && load<uint32_t>(bytes.subspan(0x34)) == 1;
}

Result<ReportFile> read_report(Bytes evidence) {
  const auto decoded = binary_of(evidence);
  const Bytes bytes = decoded ? Bytes(*decoded) : evidence;
  if (bytes.size() < sizeof(Report)) {
    return no_report(formatted("{} bytes, and a report has {}, or twice as many hexadecimal digits",
                               evidence.size(), sizeof(Report)));
  }
  ReportFile file{.report = load<Report>(bytes), .table = {}};
  if (file.report.version < Report::kVersionMin || file.report.version > Report::kVersionMax) {
    return no_report(formatted("a report of version {}, and this build knows {} to {}",
                               file.report.version, Report::kVersionMin, Report::kVersionMax));
  }
  if (file.report.signature_algorithm != Report::kEcdsaP384Sha384) {
    return no_report(formatted("signature algorithm {}, and this build knows 1, ECDSA with P-384",
                               file.report.signature_algorithm));
  }
  if (!all_zero(file.report.unsigned_rest))
    return no_report("bytes behind the signature, which nobody signed, are not zero");
  const Bytes rest = bytes.subspan(sizeof(Report));
  if (!rest.empty() && table_blobs(rest).empty()) {
    return no_report(formatted(
        "the report is followed by {} bytes that are no table of certificates", rest.size()));
  }
  file.table.assign(rest.begin(), rest.end());
  return file;
}

Result<Signature> signature_of(const Report& report) {
  const auto half = [](const ByteArray<72>& number, uint8_t* big_endian) {
    std::reverse_copy(number.begin(), number.begin() + 48, big_endian);
    return all_zero(Bytes(number).subspan(48));
  };
  Signature signature{};
  const bool short_r = half(report.signature_r, signature.data());
  const bool short_s = half(report.signature_s, signature.data() + 48);
  if (!short_r || !short_s) return no_report("a signature of numbers that P-384 does not have");
  return signature;
}

std::vector<Bytes> table_blobs(Bytes table) {
  std::vector<Bytes> blobs;
  size_t total = 0;  // entries that share bytes would be read once for each
  if (table.size() > kTableBytes) return {};
  for (size_t at = 0; at + kTableEntry <= table.size(); at += kTableEntry) {
    const Bytes entry = table.subspan(at, kTableEntry);
    if (all_zero(entry)) return blobs;
    const auto offset = load<uint32_t>(entry.subspan(16));
    const auto size = load<uint32_t>(entry.subspan(20));
    if (offset > table.size() || size > table.size() - offset || blobs.size() == kTableEntries)
      return {};
    total += size;
    if (total > table.size()) return {};
    blobs.push_back(table.subspan(offset, size));
  }
  return {};  // no end
}

}  // namespace casemate::verify::snp
