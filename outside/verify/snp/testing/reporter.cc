// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/testing/reporter.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"

namespace casemate::verify::snp::testing {
namespace {

constexpr uint64_t kUsualPolicy = 0x30000;

SigningKey reporter_key() {
  auto key = SigningKey::generate();
  CHECK(key, "tests need a working libcrypto");
  return *std::move(key);
}

std::string extension_oid(const std::string& tail) { return "1.3.6.1.4.1.3704.1." + tail; }

}  // namespace

std::vector<uint8_t> number_der(uint8_t value) {
  if (value < 0x80) return {2, 1, value};
  return {2, 2, 0, value};
}

std::vector<uint8_t> text_der(std::string_view text) {
  std::vector<uint8_t> der = {0x16, static_cast<uint8_t>(text.size())};
  der.insert(der.end(), text.begin(), text.end());
  return der;
}

std::vector<uint8_t> table_of(const std::vector<std::vector<uint8_t>>& blobs) {
  std::vector<uint8_t> table(24 * (blobs.size() + 1));
  for (size_t i = 0; i < blobs.size(); ++i) {
    const auto offset = static_cast<uint32_t>(table.size());
    const auto size = static_cast<uint32_t>(blobs[i].size());
    std::fill_n(table.begin() + static_cast<std::ptrdiff_t>(24 * i), 16, uint8_t{0x63});
    std::ranges::copy(bytes_of(offset), table.begin() + static_cast<std::ptrdiff_t>(24 * i + 16));
    std::ranges::copy(bytes_of(size), table.begin() + static_cast<std::ptrdiff_t>(24 * i + 20));
    table.insert(table.end(), blobs[i].begin(), blobs[i].end());
  }
  return table;
}

Reporter::Reporter(Product made_for, bool vlek)
    : product(made_for),
      root_key(reporter_key()),
      authority_key(reporter_key()),
      leaf_key(reporter_key()) {
  const std::string name(snp::name_of(product));
  root = {.name = "ARK-" + name, .issuer = "ARK-" + name, .authority = true, .serial = 1};
  authority = {.name = (vlek ? "SEV-VLEK-" : "SEV-") + name,
               .issuer = root.name,
               .authority = true,
               .serial = 2};
  leaf = {.name = vlek ? "SEV-VLEK" : "SEV-VCEK", .issuer = authority.name};
  const bool turin = product == Product::kTurin;
  report.version = 3;
  report.policy = kUsualPolicy;
  report.signature_algorithm = Report::kEcdsaP384Sha384;
  report.key_info = vlek ? 1 << 2 : 0;
  report.cpu_family = turin ? 0x1a : 0x19;
  report.cpu_model = product == Product::kGenoa ? 0x11 : 1;
  std::fill_n(report.measurement.begin(), 48, uint8_t{0x4d});
  if (!vlek) std::fill_n(report.chip_id.begin(), turin ? 8 : 64, uint8_t{0xc1});
  set("1", number_der(turin ? 1 : 0));
  set("2", text_der(name + (turin ? "" : "-B0")));
  uint8_t svn = 3;
  for (const TcbPart& part : tcb_parts(product)) {
    const uint8_t number = part.key.empty() ? 0 : part.key == "microcode" ? 213 : svn++;
    report.reported_tcb[part.byte] = number;
    set(formatted("3.{}", part.arc), number_der(number));
  }
  report.current_tcb = report.committed_tcb = report.launch_tcb = report.reported_tcb;
  report.current_version = report.committed_version = {.build = 3, .minor = 55, .major = 1};
  if (vlek) {
    set("5", text_der("Example Cloud"));
  } else {
    set("4", {report.chip_id.begin(), report.chip_id.begin() + (turin ? 8 : 64)});
  }
  sign();
}

void Reporter::set(const std::string& tail, std::vector<uint8_t> content) {
  drop(tail);
  leaf.extensions.emplace_back(extension_oid(tail), std::move(content));
}

void Reporter::drop(const std::string& tail) {
  std::erase_if(leaf.extensions, [&](const auto& one) { return one.first == extension_oid(tail); });
}

void Reporter::sign() {
  const auto signature = leaf_key.sign(report.signed_bytes());
  CHECK(signature, "tests need a working libcrypto");
  report.signature_r = {};
  report.signature_s = {};
  std::reverse_copy(signature->begin(), signature->begin() + 48, report.signature_r.begin());
  std::reverse_copy(signature->begin() + 48, signature->end(), report.signature_s.begin());
}

std::vector<uint8_t> Reporter::evidence() const {
  const Bytes bytes = bytes_of(report);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::vector<uint8_t>> Reporter::certificates() const {
  return {issue(leaf, leaf_key, authority_key), issue(authority, authority_key, root_key),
          issue(root, root_key, root_key)};
}

Collateral Reporter::collateral() const {
  Collateral collateral;
  for (const auto& der : certificates())
    CHECK(collateral.add("", der), "a certificate that was just made is one");
  return collateral;
}

Rules Reporter::rules() const {
  Rules rules;
  rules.roots = {{product, sha384(root_key.public_der())}};
  return rules;
}

}  // namespace casemate::verify::snp::testing
