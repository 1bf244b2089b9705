// SPDX-License-Identifier: Apache-2.0
#include "outside/fetch/what_to_fetch.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/cca/testing/realm.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/nvidia/testing/gpu.h"
#include "outside/verify/snp/testing/reporter.h"
#include "outside/verify/testing/signer.h"
#include "outside/verify/testing/vectors.h"
#include "outside/verify/tpm/testing/tpm_signer.h"

namespace casemate::fetch {
namespace {

namespace snp = verify::snp;
using snp::Product;
using snp::testing::Reporter;
using verify::intel::testing::TestPlatform;
using verify::testing::vector_file;
using IntelKind = verify::intel::testing::Kind;

// The paths of a plan, line by line, or why there is none.
std::string planned(Bytes evidence, std::string_view product = "") {
  const auto plan = what_to_fetch(evidence, product);
  if (!plan) return formatted("{}: {}", name_of(plan.error().code), plan.error().text);
  std::string paths;
  for (const Wanted& wanted : plan->wanted) paths += wanted.path + "\n";
  return paths;
}

std::string intel_paths(std::string_view tee, std::string_view fmspc, std::string_view authority) {
  return formatted(
      "/{0}/certification/v4/tcb?fmspc={1}\n/{0}/certification/v4/qe/identity\n"
      "/sgx/certification/v4/pckcrl?ca={2}&encoding=der\n/IntelSGXRootCA.der\n",
      tee, fmspc, authority);
}

// Our own evidence over a hardware root, as an endpoint sends it.
std::vector<uint8_t> own_evidence(std::string_view provider, Bytes report, Bytes auxiliary = {}) {
  const verify::testing::Signer signer;
  const auto quote = encode_hardware_quote(RootKind::kTsm, provider, report, auxiliary, {});
  return encode_evidence(*quote, signer.claims, signer.tokens);
}

TEST(WhatToFetch, of_every_kind_of_intel_quote_is_its_own_tee_and_the_one_list_of_keys) {
  for (const auto& [kind, tee] :
       {std::pair(IntelKind::kSgx3, "sgx"), std::pair(IntelKind::kSgx5, "sgx"),
        std::pair(IntelKind::kTdx4, "tdx"), std::pair(IntelKind::kTdx5, "tdx"),
        std::pair(IntelKind::kTdx15, "tdx")}) {
    const TestPlatform platform(kind);
    EXPECT_EQ(planned(platform.quote()), intel_paths(tee, "ABC06F000000", "platform"));
  }
}

TEST(WhatToFetch, is_the_same_for_digits_certificates_and_our_own_evidence) {
  const TestPlatform platform(IntelKind::kTdx4);
  const std::string wanted = intel_paths("tdx", "ABC06F000000", "platform");
  const std::string hex = "0x" + to_hex(platform.quote()) + "\n";
  EXPECT_EQ(planned(bytes_of(std::string_view(hex))), wanted);
  const auto evidence = own_evidence("tdx_guest", platform.quote());
  EXPECT_EQ(planned(evidence), wanted);
  const verify::testing::Signer signer;
  EXPECT_EQ(planned(verify::testing::make_certificate(signer.tls, evidence)), wanted);
  const auto quote = encode_hardware_quote(RootKind::kGramine, "dcap", platform.quote(), {}, {});
  EXPECT_EQ(planned(*quote), wanted);
}

TEST(WhatToFetch, names_files_by_what_is_in_them) {
  const auto plan = what_to_fetch(TestPlatform(IntelKind::kTdx15).quote());
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->evidence, "a quote of a TDX guest on a platform with FMSPC ABC06F000000");
  EXPECT_FALSE(plan->needs_vlek);
  std::vector<std::string> files;
  for (const Wanted& wanted : plan->wanted) {
    EXPECT_EQ(wanted.chain_file.empty(), wanted.chain_header.empty());
    for (const std::string& file : {wanted.file, wanted.chain_file}) {
      if (file.empty()) continue;
      EXPECT_FALSE(std::ranges::contains(files, file)) << file;
      EXPECT_FALSE(file.contains('/')) << file;
      files.push_back(file);
    }
  }
  EXPECT_EQ(files.size(), 7u);
  EXPECT_EQ(plan->wanted[0].chain_header, "TCB-Info-Issuer-Chain");
  EXPECT_EQ(plan->wanted[1].chain_header, "SGX-Enclave-Identity-Issuer-Chain");
  EXPECT_EQ(plan->wanted[2].chain_header, "SGX-PCK-CRL-Issuer-Chain");
}

TEST(WhatToFetch, of_a_quote_cut_off_or_of_a_stranger_s_platform_is_nothing) {
  TestPlatform platform(IntelKind::kSgx3);
  auto quote = platform.quote();
  quote.resize(quote.size() - 1);
  EXPECT_TRUE(planned(quote).starts_with("invalid: ")) << planned(quote);
  platform.ca = platform.root.issue({.name = "Some Platform CA", .authority = true});
  platform.certify();
  EXPECT_TRUE(planned(platform.quote()).contains("certified by CN=Some Platform CA"))
      << planned(platform.quote());
}

TEST(WhatToFetch, of_a_report_is_its_chip_s_certificate_at_its_firmware) {
  const auto path = [](std::string_view product, size_t bytes, std::string_view query) {
    std::string id;
    for (size_t i = 0; i < bytes; ++i) id += "c1";
    return formatted("/vcek/v1/{0}/{1}?{2}\n/vcek/v1/{0}/cert_chain\n/vcek/v1/{0}/crl\n", product,
                     id, query);
  };
  EXPECT_EQ(planned(Reporter(Product::kMilan).evidence()),
            path("Milan", 64, "blSPL=3&teeSPL=4&snpSPL=5&ucodeSPL=213"));
  EXPECT_EQ(planned(Reporter(Product::kGenoa).evidence()),
            path("Genoa", 64, "blSPL=3&teeSPL=4&snpSPL=5&ucodeSPL=213"));
  EXPECT_EQ(planned(Reporter(Product::kTurin).evidence()),
            path("Turin", 8, "fmcSPL=3&blSPL=4&teeSPL=5&snpSPL=6&ucodeSPL=213"));
  const Reporter reporter(Product::kTurin);
  EXPECT_EQ(planned(own_evidence("sev_guest", reporter.evidence())), planned(reporter.evidence()));
}

TEST(WhatToFetch, of_a_report_that_names_no_product_takes_the_user_s_word_or_the_table_s) {
  Reporter reporter(Product::kGenoa);
  reporter.report.version = 2;
  reporter.report.cpu_family = reporter.report.cpu_model = 0;
  reporter.sign();
  EXPECT_TRUE(planned(reporter.evidence()).contains("give --product Milan, Genoa or Turin"))
      << planned(reporter.evidence());
  EXPECT_TRUE(planned(reporter.evidence(), "Genoa").starts_with("/vcek/v1/Genoa/c1c1"));
  EXPECT_TRUE(planned(reporter.evidence(), "Bergamo").starts_with("/vcek/v1/Genoa/c1c1"));
  EXPECT_TRUE(planned(reporter.evidence(), "Naples").contains("there are Milan, Genoa and Turin"));
  auto with_table = reporter.evidence();
  const auto table = snp::testing::table_of(reporter.certificates());
  with_table.insert(with_table.end(), table.begin(), table.end());
  EXPECT_TRUE(planned(with_table).starts_with("/vcek/v1/Genoa/c1c1")) << planned(with_table);
}

TEST(WhatToFetch, of_a_report_that_names_its_product_takes_no_other_word) {
  Reporter reporter(Product::kGenoa);
  EXPECT_TRUE(planned(reporter.evidence(), "Genoa").starts_with("/vcek/v1/Genoa/"));
  EXPECT_TRUE(planned(reporter.evidence(), "Milan").contains("is of Genoa, and --product says"));
  reporter.report.cpu_family = 0x20;
  reporter.sign();
  EXPECT_TRUE(planned(reporter.evidence()).contains("a processor of family 0x20, model 0x11"));
}

TEST(WhatToFetch, of_a_cloud_s_key_are_its_authorities_and_the_key_s_certificate_is_asked_of_none) {
  const Reporter reporter(Product::kMilan, true);
  EXPECT_EQ(planned(reporter.evidence()), "/vlek/v1/Milan/cert_chain\n/vlek/v1/Milan/crl\n");
  EXPECT_TRUE(what_to_fetch(reporter.evidence())->needs_vlek);
  auto with_table = reporter.evidence();
  const auto table = snp::testing::table_of({reporter.certificates().front()});
  with_table.insert(with_table.end(), table.begin(), table.end());
  EXPECT_FALSE(what_to_fetch(with_table)->needs_vlek);
}

TEST(WhatToFetch, of_a_report_that_hides_its_chip_or_that_nobody_signed_is_nothing) {
  Reporter reporter(Product::kMilan);
  reporter.report.key_info = 2;
  reporter.sign();
  EXPECT_TRUE(planned(reporter.evidence()).contains("hides its chip"));
  reporter.report.key_info = 7 << 2;
  reporter.sign();
  EXPECT_TRUE(planned(reporter.evidence()).contains("signed by neither"));
}

TEST(WhatToFetch, of_roots_without_a_service_is_a_sentence_that_says_what_the_folder_needs) {
  const auto expect = [](Bytes evidence, std::string_view part) {
    EXPECT_TRUE(planned(evidence).starts_with("unsupported: the evidence is ")) << part;
    EXPECT_TRUE(planned(evidence).contains(part)) << planned(evidence);
  };
  const auto token = verify::cca::testing::Realm().token();
  expect(token, "a JWK of whoever made the machine");
  expect(own_evidence("arm_cca_guest", token), "a JWK of whoever made the machine");
  expect(verify::nvidia::testing::Gpu().evidence(), "the device's certificates");
  verify::testing::TpmSigner tpm;
  tpm.make();
  tpm.sign();
  expect(tpm.quote(), "casemate tpm");
  const verify::testing::Signer signer;
  expect(encode_evidence(tpm.quote(), signer.claims, signer.tokens), "casemate tpm");
  expect(bytes_of(std::string_view("eyJhbGciOiJFUzM4NCJ9.e30.AAAA")), "the policy's \"eat\"");
  verify::testing::Signer software;
  software.sign();
  expect(software.evidence(), "rooted in software");
  expect(own_evidence("magic_guest", token), "the provider magic_guest");
}

TEST(WhatToFetch, of_what_is_no_evidence_is_a_sentence) {
  for (const std::string_view text : {"", "hello", "-----BEGIN CERTIFICATE-----\nMII"})
    EXPECT_TRUE(planned(bytes_of(text)).starts_with("invalid: ")) << planned(bytes_of(text));
  EXPECT_TRUE(
      planned(std::vector<uint8_t>(5000, 0xAA)).contains("5000 bytes that are no evidence"));
  const verify::testing::Authority other({.name = "no evidence"});
  EXPECT_TRUE(planned(other.certificate().der()).contains("carries no evidence"));
}

TEST(WhatToFetch, of_published_evidence_is_what_its_platforms_have) {
  NEEDS_VECTORS();
  const std::string tdx = intel_paths("tdx", "B0C06F000000", "platform");
  EXPECT_EQ(planned(vector_file("tdx/v4-uptodate-quote.bin")), tdx);
  EXPECT_EQ(planned(vector_file("tdx/v4-quote-plain.hex")), tdx);
  EXPECT_EQ(planned(vector_file("tdx/v4-quote-0x.hex")), tdx);
  EXPECT_EQ(planned(vector_file("tdx/v5-quote.dat")),
            intel_paths("tdx", "90C06F000000", "platform"));
  EXPECT_EQ(planned(vector_file("tdx/v4-ccel-quote.dat")),
            intel_paths("tdx", "00806F050000", "platform"));
  EXPECT_EQ(planned(vector_file("sgx/v3-quote.bin")),
            intel_paths("sgx", "00A067110000", "processor"));
  for (const auto* name : {"gramine-cert.pem", "intel-sgxsdk-cert.pem", "rats-tls-cert.pem"}) {
    const std::string paths = planned(vector_file(formatted("ra-tls/{}", name)));
    EXPECT_TRUE(paths.starts_with("/sgx/certification/v4/tcb?fmspc=")) << name << paths;
  }
  EXPECT_TRUE(planned(vector_file("cca/cca-token-01.cbor")).contains("Arm CCA token"));
  EXPECT_TRUE(planned(vector_file("tdx/tdreport-bad-type.bin")).contains("are no evidence"));
}

TEST(WhatToFetch, of_published_reports_is_by_the_product_that_the_user_names) {
  NEEDS_VECTORS();
  const auto report = vector_file("snp/milan-v2-report.hex");
  EXPECT_TRUE(planned(report).contains("version 2, which does not say")) << planned(report);
  const std::string paths = planned(report, "Milan");
  EXPECT_TRUE(paths.starts_with("/vcek/v1/Milan/")) << paths;
  EXPECT_TRUE(paths.contains("?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115\n")) << paths;
  EXPECT_TRUE(planned(vector_file("snp/milan-v2-debug-report.bin"), "Milan")
                  .contains("?blSPL=2&teeSPL=0&snpSPL=5&ucodeSPL=68\n"));
}

}  // namespace
}  // namespace casemate::fetch
