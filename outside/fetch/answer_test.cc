// SPDX-License-Identifier: Apache-2.0
#include "outside/fetch/answer.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/fetch/testing/vendor_server.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/snp/testing/reporter.h"
#include "outside/verify/x509/testing/authority.h"

namespace casemate::fetch {
namespace {

namespace snp = verify::snp;
using snp::Product;
using snp::testing::Reporter;
using verify::intel::testing::TestPlatform;
using verify::testing::pem_of;
using IntelKind = verify::intel::testing::Kind;

// What becomes of an answer: the sizes of the files, or what was wrong with it.
std::string judged(const Wanted& wanted, std::string_view body, std::string_view headers = "") {
  const auto kept = judge_answer(wanted, bytes_of(body), headers);
  if (!kept) return kept.error().text;
  std::string sizes;
  for (const Kept& file : *kept) sizes += formatted("{} ", file.content.size());
  return sizes;
}

Wanted wanted_of(const Plan& plan, Kind kind) {
  return *std::ranges::find(plan.wanted, kind, &Wanted::kind);
}

const TestPlatform& tdx_platform() {
  static const TestPlatform made(IntelKind::kTdx4);
  return made;
}

Wanted intel(Kind kind) { return wanted_of(*what_to_fetch(tdx_platform().quote()), kind); }

std::string info_answer(const nlohmann::ordered_json& info) {
  return formatted(R"({{"tcbInfo": {}, "signature": "00ff"}})", info.dump());
}

std::string chain_line() {
  std::string encoded;
  for (const char c : pem_of(tdx_platform().root.certificate()))
    encoded += c == '\n' ? "%0A" : c == ' ' ? "%20" : std::string(1, c);
  return formatted("tcb-info-ISSUER-chain:  {}\r\n", encoded);
}

TEST(Answer, of_tcb_info_is_kept_as_it_came_with_the_certificates_of_its_header) {
  const std::string body = info_answer(tdx_platform().tcb_info);
  const auto kept = judge_answer(intel(Kind::kTcbInfo), bytes_of(std::string_view(body)),
                                 "HTTP/1.1 200 OK\r\n" + chain_line() + "\r\n");
  ASSERT_TRUE(kept) << kept.error().text;
  ASSERT_EQ(kept->size(), 2u);
  EXPECT_EQ(text_of(kept->at(0).content), body);
  EXPECT_EQ(text_of(kept->at(1).content), pem_of(tdx_platform().root.certificate()));
}

TEST(Answer, of_tcb_info_about_others_is_refused) {
  auto other = tdx_platform().tcb_info;
  other["fmspc"] = "00906ED50000";
  EXPECT_TRUE(
      judged(intel(Kind::kTcbInfo), info_answer(other)).contains("with FMSPC 00906ed50000"));
  const TestPlatform sgx(IntelKind::kSgx3);
  EXPECT_TRUE(judged(intel(Kind::kTcbInfo), info_answer(sgx.tcb_info)).contains("TCB info of SGX"));
  const std::string unsigned_info =
      formatted(R"({{"tcbInfo": {}}})", tdx_platform().tcb_info.dump());
  EXPECT_TRUE(judged(intel(Kind::kTcbInfo), unsigned_info).contains("\"signature\""));
}

TEST(Answer, of_a_quoting_enclave_is_refused_for_the_other_kind_s) {
  const Wanted wanted = intel(Kind::kQeIdentity);
  const TestPlatform sgx(IntelKind::kSgx3);
  const auto body = [](const nlohmann::ordered_json& identity) {
    return formatted(R"({{"enclaveIdentity": {}, "signature": "00ff"}})", identity.dump());
  };
  EXPECT_TRUE(judged(wanted, body(sgx.qe_identity)).contains("of the other kind"));
  EXPECT_TRUE(
      judged(wanted, body(tdx_platform().qe_identity)).contains("header SGX-Enclave-Identity"));
}

TEST(Answer, of_a_list_is_taken_in_each_spelling_from_its_issuer_alone) {
  Wanted wanted = intel(Kind::kCrl);
  wanted.chain_header.clear();
  const std::string der = testing::der_text(tdx_platform().ca.list({}));
  const std::string size = formatted("{} ", der.size());
  EXPECT_EQ(judged(wanted, der), size);
  EXPECT_EQ(judged(wanted, to_hex(bytes_of(std::string_view(der))) + "\n"), size);
  EXPECT_TRUE(
      judged(wanted, testing::der_text(tdx_platform().root.list({})))
          .contains("a list of CN=Intel SGX Root CA, and not of Intel SGX PCK Platform CA"));
  EXPECT_TRUE(
      judged(wanted, text_of(tdx_platform().ca.certificate().der())).contains("is not the"));
}

TEST(Answer, without_a_sound_chain_in_its_header_is_refused) {
  const std::string body = info_answer(tdx_platform().tcb_info);
  const auto with = [&](std::string_view headers) {
    return judged(intel(Kind::kTcbInfo), body, headers);
  };
  for (const std::string_view headers :
       {"", "TCB-Info-Issuer-Chain:\r\n", "TCB-Info-Issuer-Chain: %2", "TCB-Info-Issuer-Chain: %zz",
        "TCB-Info-Issuer-Chain: garbage", "TCB-Info-Issuer-Chain: {}",
        "TCB-Info-Issuer-Chain: -----BEGIN%20CERTIFICATE-----%0AMII%0A-----END%20CERTIFICATE-----",
        "X-TCB-Info-Issuer-Chain: a"}) {
    EXPECT_TRUE(with(headers).contains("in the header TCB-Info-Issuer-Chain: ")) << headers;
  }
  // Those of an answer before the last count for nothing.
  EXPECT_TRUE(with("HTTP/1.1 503 No\r\n" + chain_line() + "\r\nHTTP/1.1 200 OK\r\n\r\n")
                  .contains("there is none"));
}

TEST(Answer, that_is_a_page_is_refused_and_shown_without_control_characters) {
  const std::string page = "<html>\x1b[31mlog in first</html>";
  std::vector<Wanted> all = what_to_fetch(tdx_platform().quote())->wanted;
  const auto amd = what_to_fetch(Reporter(Product::kMilan).evidence());
  all.insert(all.end(), amd->wanted.begin(), amd->wanted.end());
  EXPECT_EQ(all.size(), 7u);
  for (const Wanted& wanted : all) {
    const std::string why = judged(wanted, page);
    EXPECT_TRUE(why.contains("that begin \"<html>?[31mlog in first")) << wanted.file << why;
    EXPECT_FALSE(why.contains('\x1b')) << wanted.file;
    EXPECT_TRUE(judged(wanted, "").contains("0 bytes")) << wanted.file << judged(wanted, "");
    EXPECT_FALSE(judged(wanted, "-----BEGIN CERTIFICATE-----\n!").empty());
    EXPECT_FALSE(judged(wanted, "{\"tcbInfo\":").empty());
  }
}

TEST(Answer, of_a_chip_is_refused_for_another_chip_firmware_or_product) {
  const Reporter reporter(Product::kTurin);
  const Wanted wanted = wanted_of(*what_to_fetch(reporter.evidence()), Kind::kVcek);
  const auto certificate = [](const Reporter& made) {
    return std::string(text_of(made.certificates().front()));
  };
  const std::string right = certificate(reporter);
  EXPECT_EQ(judged(wanted, right), formatted("{} ", right.size()));
  Reporter other(Product::kTurin);
  other.set("4", std::vector<uint8_t>(8, 7));
  EXPECT_TRUE(judged(wanted, certificate(other)).contains("of another chip or other firmware"));
  Reporter older(Product::kTurin);
  older.set("3.8", snp::testing::number_der(212));
  EXPECT_TRUE(judged(wanted, certificate(older)).contains("of another chip or other firmware"));
  EXPECT_TRUE(judged(wanted, certificate(Reporter(Product::kMilan))).contains("of another chip"));
  EXPECT_TRUE(judged(wanted, text_of(reporter.certificates()[1])).contains("is not the VCEK"));
}

TEST(Answer, of_authorities_holds_both_by_their_names) {
  const Reporter reporter(Product::kMilan);
  const Wanted wanted = wanted_of(*what_to_fetch(reporter.evidence()), Kind::kAuthorities);
  const auto pem = [](Bytes der) { return pem_of(*verify::X509Certificate::from_der(der)); };
  const auto made = reporter.certificates();
  const std::string both = pem(made[1]) + pem(made[2]);
  EXPECT_EQ(judged(wanted, both), formatted("{} ", both.size()));
  EXPECT_TRUE(judged(wanted, pem(made[1])).contains("no certificate of ARK-Milan"));
  const auto cloud = Reporter(Product::kMilan, true).certificates();
  EXPECT_TRUE(
      judged(wanted, pem(cloud[1]) + pem(cloud[2])).contains("no certificate of SEV-Milan"));
}

}  // namespace
}  // namespace casemate::fetch
