// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/testing/platform.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/format.h"
#include "outside/verify/intel/quote.h"

namespace casemate::verify::intel::testing {
namespace {

using Json = nlohmann::ordered_json;
using verify::testing::Form;
using verify::testing::pem_of;

constexpr ByteArray<16> kVendorId = {0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
                                     0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07};
constexpr ByteArray<9> kExtensionOid = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01};

void append(std::vector<uint8_t>& to, Bytes bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

template <class T>
void append_number(std::vector<uint8_t>& to, T value) {
  append(to, bytes_of(value));
}

std::vector<uint8_t> element(uint8_t tag, Bytes content) {
  std::vector<uint8_t> der = {tag};
  if (content.size() >= 0x100) {
    der.insert(der.end(), {0x82, static_cast<uint8_t>(content.size() >> 8),
                           static_cast<uint8_t>(content.size())});
  } else if (content.size() >= 0x80) {
    der.insert(der.end(), {0x81, static_cast<uint8_t>(content.size())});
  } else {
    der.push_back(static_cast<uint8_t>(content.size()));
  }
  append(der, content);
  return der;
}

std::vector<uint8_t> number(uint32_t value) {
  std::vector<uint8_t> content;
  for (; value > 0; value >>= 8) content.insert(content.begin(), static_cast<uint8_t>(value));
  if (content.empty() || content.front() >= 0x80) content.insert(content.begin(), uint8_t{0});
  return element(0x02, content);
}

std::vector<uint8_t> field(std::vector<uint8_t> arcs, const std::vector<uint8_t>& value) {
  std::vector<uint8_t> oid(kExtensionOid.begin(), kExtensionOid.end());
  append(oid, arcs);
  std::vector<uint8_t> content = element(0x06, oid);
  append(content, value);
  return element(0x30, content);
}

bool tdx_kind(Kind kind) { return kind != Kind::kSgx3 && kind != Kind::kSgx5; }

Form leaf(std::string common_name, std::vector<verify::testing::ExtraExtension> extensions = {}) {
  return {.name = std::move(common_name), .extensions = std::move(extensions)};
}
Form authority(std::string common_name) {
  return {.name = std::move(common_name), .authority = true};
}

}  // namespace

Json level_of(uint32_t svn, std::string_view status, bool tdx) {
  Json component = {{"svn", svn}, {"category", "BIOS"}, {"type", "Early Microcode Update"}};
  Json list = Json::array();
  for (int i = 0; i < 16; ++i) list.push_back(component);
  Json level;
  level["tcb"]["sgxtcbcomponents"] = list;
  level["tcb"]["pcesvn"] = 13;
  if (tdx) level["tcb"]["tdxtcbcomponents"] = list;
  level["tcbDate"] = "2026-01-01T00:00:00Z";
  level["tcbStatus"] = status;
  return level;
}

TestPlatform::TestPlatform(Kind made)
    : kind(made),
      root(authority("Intel SGX Root CA")),
      ca(root.issue(authority("Intel SGX PCK Platform CA"))),
      pck(ca.issue(leaf("Intel SGX PCK Certificate"))),
      tcb_signer(root.issue(leaf("Intel SGX TCB Signing"))),
      attestation(leaf("attestation key")) {
  components.fill(5);
  certify();
  fill_body();
  fill_statements();
}

void TestPlatform::certify() {
  pck = ca.issue(
      leaf("Intel SGX PCK Certificate", {{"1.2.840.113741.1.13.1", pck_extension(), false}}));
}

std::vector<uint8_t> TestPlatform::pck_extension() const {
  std::vector<uint8_t> tcb;
  for (uint8_t i = 0; i < 16; ++i)
    append(tcb, field({2, static_cast<uint8_t>(i + 1)}, number(components[i])));
  append(tcb, field({2, 17}, number(pce_svn)));
  append(tcb, field({2, 18}, element(0x04, components)));
  std::vector<uint8_t> list = field({1}, element(0x04, ByteArray<16>{}));
  append(list, field({2}, element(0x30, tcb)));
  append(list, field({3}, element(0x04, ByteArray<2>{})));
  append(list, field({4}, element(0x04, ByteArray<6>{0xAB, 0xC0, 0x6F, 0, 0, 0})));
  return element(0x30, list);
}

void TestPlatform::fill_body() {
  const uint16_t version = kind == Kind::kSgx3 ? 3 : kind == Kind::kTdx4 ? 4 : 5;
  append_number(header, version);
  append_number(header, uint16_t{2});
  append_number(header, tdx_kind(kind) ? uint32_t{0x81} : uint32_t{0});
  append_number(header, uint32_t{0});
  append(header, kVendorId);
  header.resize(48);
  body.resize(kind == Kind::kTdx15 ? TdReport::kBytes15
              : tdx_kind(kind)     ? TdReport::kBytes
                                   : SgxReport::kBytes);
  if (version == 5) {
    append_number(header, static_cast<uint16_t>(kind == Kind::kSgx5   ? 1
                                                : kind == Kind::kTdx5 ? 2
                                                                      : 3));
    append_number(header, static_cast<uint32_t>(body.size()));
  }
  const ByteArray<16> fives = [] {
    ByteArray<16> value{};
    value.fill(5);
    value[1] = 0;
    return value;
  }();
  if (tdx_kind(kind)) set(0, fives);
  for (size_t i = tdx_kind(kind) ? 136 : 64; i < (tdx_kind(kind) ? 184u : 96u); ++i)
    body[i] = static_cast<uint8_t>(i);

  qe_report.resize(SgxReport::kBytes);
  qe_report[48] = 0x11;                                     // attributes
  std::fill_n(qe_report.begin() + 128, 32, uint8_t{0xDC});  // mrsigner
  qe_report[256] = tdx_kind(kind) ? 2 : 1;                  // product
  qe_report[258] = 7;                                       // security version
}

void TestPlatform::fill_statements() {
  const bool tdx = tdx_kind(kind);
  tcb_info["id"] = tdx ? "TDX" : "SGX";
  tcb_info["version"] = 3;
  tcb_info["issueDate"] = time_text(kNow - kDay);
  tcb_info["nextUpdate"] = time_text(kNow + 29 * kDay);
  tcb_info["fmspc"] = "abC06F000000";
  tcb_info["pceId"] = "0000";
  tcb_info["tcbType"] = 0;
  tcb_info["tcbEvaluationDataNumber"] = 17;
  tcb_info["tcbLevels"] = {level_of(5, "UpToDate", tdx), level_of(3, "OutOfDate", tdx)};
  if (tdx) {
    // The second component of the TDX module is its major version, 0 here.
    for (auto& level : tcb_info["tcbLevels"]) level["tcb"]["tdxtcbcomponents"][1]["svn"] = 0;
    tcb_info["tdxModule"] = {{"mrsigner", std::string(96, '0')},
                             {"attributes", std::string(16, '0')},
                             {"attributesMask", std::string(16, 'F')}};
  }
  qe_identity["id"] = tdx ? "TD_QE" : "QE";
  qe_identity["version"] = 2;
  qe_identity["issueDate"] = time_text(kNow - kDay);
  qe_identity["nextUpdate"] = time_text(kNow + 29 * kDay);
  qe_identity["tcbEvaluationDataNumber"] = 17;
  qe_identity["miscselect"] = "00000000";
  qe_identity["miscselectMask"] = "FFFFFFFF";
  qe_identity["attributes"] = "11000000000000000000000000000000";
  qe_identity["attributesMask"] = "FBFFFFFFFFFFFFFF0000000000000000";
  std::string signer;
  for (int i = 0; i < 32; ++i) signer += "DC";
  qe_identity["mrsigner"] = signer;
  qe_identity["isvprodid"] = tdx ? 2 : 1;
  qe_identity["tcbLevels"] = Json::array();
  for (const auto& [version, status] :
       {std::pair{6, "UpToDate"}, std::pair{4, "OutOfDate"}, std::pair{2, "Revoked"}}) {
    Json level;
    level["tcb"]["isvsvn"] = version;
    level["tcbDate"] = "2026-01-01T00:00:00Z";
    level["tcbStatus"] = status;
    if (version == 4) level["advisoryIDs"] = {"INTEL-SA-00004"};
    qe_identity["tcbLevels"].push_back(level);
  }
}

void TestPlatform::set(size_t offset, Bytes value) {
  CHECK(offset + value.size() <= body.size(), "a field is inside of the body");
  std::ranges::copy(value, body.begin() + static_cast<std::ptrdiff_t>(offset));
}

std::vector<uint8_t> TestPlatform::quote() const {
  std::vector<uint8_t> made = header;
  append(made, body);

  const ByteArray<64> key = attestation.point();
  std::vector<uint8_t> report = qe_report;
  std::vector<uint8_t> bound(key.begin(), key.end());
  append(bound, qe_data);
  std::ranges::copy(sha256(bound), report.begin() + 320);
  std::vector<uint8_t> qe = report;
  append(qe, pck.sign(report));
  append_number(qe, static_cast<uint16_t>(qe_data.size()));
  append(qe, qe_data);
  const std::string chain =
      pem_of(pck.certificate()) + pem_of(ca.certificate()) + pem_of(root.certificate());
  append_number(qe, uint16_t{5});
  append_number(qe, static_cast<uint32_t>(chain.size()));
  append(qe, bytes_of(std::string_view(chain)));

  std::vector<uint8_t> signature = attestation.sign(made);
  append(signature, key);
  if (kind != Kind::kSgx3) {
    append_number(signature, uint16_t{6});
    append_number(signature, static_cast<uint32_t>(qe.size()));
  }
  append(signature, qe);
  append_number(made, static_cast<uint32_t>(signature.size()));
  append(made, signature);
  append(made, left_over);
  return made;
}

Collateral TestPlatform::collateral() const {
  Json bundle;
  const std::string signer = pem_of(tcb_signer.certificate()) + pem_of(root.certificate());
  const std::string info = tcb_info.dump();
  const std::string identity = qe_identity.dump();
  bundle["tcb_info"] = info;
  bundle["tcb_info_signature"] = to_hex(tcb_signer.sign(bytes_of(std::string_view(info))));
  bundle["tcb_info_issuer_chain"] = signer;
  bundle["qe_identity"] = identity;
  bundle["qe_identity_signature"] = to_hex(tcb_signer.sign(bytes_of(std::string_view(identity))));
  bundle["qe_identity_issuer_chain"] = signer;
  Collateral made;
  const std::string text = bundle.dump();
  CHECK(made.add("bundle.json", bytes_of(std::string_view(text))).has_value(), "it is a document");
  if (with_root_list) made.add(root.list(revoked, kNow - kDay, lists_until));
  if (with_ca_list) made.add(ca.list(revoked, kNow - kDay, lists_until));
  return made;
}

Rules TestPlatform::rules() const {
  Rules rules;
  rules.development_roots = {root.key_hash()};
  return rules;
}

std::string TestPlatform::time_text(int64_t unix_seconds) {
  return formatted("{:%FT%TZ}", std::chrono::sys_seconds(std::chrono::seconds(unix_seconds)));
}

}  // namespace casemate::verify::intel::testing
