// SPDX-License-Identifier: Apache-2.0
// Reports and certificates that real machines made.
#include "outside/verify/testing/vectors.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/snp/codes.h"
#include "outside/verify/snp/endorsement.h"
#include "outside/verify/snp/testing/judged.h"
#include "outside/verify/x509/chain.h"

namespace casemate::verify::snp {
namespace {

using testing::judge;
using testing::Judged;
using verify::testing::vector_file;

constexpr int64_t kIn2024 = 1'720'000'000;

Collateral collateral_of(std::initializer_list<std::string_view> files) {
  Collateral collateral;
  for (const std::string_view file : files) {
    const auto added = collateral.add(std::string(file), vector_file(file));
    EXPECT_TRUE(added) << file << ": " << added.error().text;
  }
  return collateral;
}

// A published report, its key's certificate and the rules under which it is accepted.
struct Published {
  std::vector<uint8_t> report;
  std::string_view vcek;
  Rules rules;

  [[nodiscard]] std::string with(std::initializer_list<std::string_view> files,
                                 int64_t now = kIn2024) const {
    return judge(report, collateral_of(files), rules, now).outcome();
  }
};

Published usual() {
  const auto hex = vector_file("snp/milan-v2-report.hex");
  return {*from_hex(casemate::text_of(hex)), "snp/milan-v2-vcek.der", {}};
}
Published debugged() {
  return {vector_file("snp/milan-v2-debug-report.bin"), "snp/milan-v2-debug-vcek.der",
          Rules{.insecure_allow_debug = true}};
}

TEST(SnpVectors, a_report_of_milan_is_accepted) {
  NEEDS_VECTORS();
  const auto hex = vector_file("snp/milan-v2-report.hex");
  const Judged judged =
      judge(hex, collateral_of({"snp/milan-v2-vcek.der", "snp/ask-ark-milan.pem"}), {}, kIn2024);
  EXPECT_EQ(judged.outcome(), "accepted") << text_of(judged.verdict);
  EXPECT_EQ(judged.platform.root, "sev-snp");
  EXPECT_FALSE(judged.platform.development);
  EXPECT_FALSE(judged.platform.debug);
  EXPECT_EQ(judged.platform.measurements.at(0).name, "measurement");
  EXPECT_NE(text_of(judged.verdict).find("boot loader 3, TEE 0, SNP 8, microcode 115"),
            std::string::npos);
}

TEST(SnpVectors, a_report_that_allows_debugging_is_refused_unless_that_is_allowed) {
  NEEDS_VECTORS();
  Published report = debugged();
  EXPECT_EQ(report.with({report.vcek, "snp/ask-ark-milan.pem"}), "accepted");
  report.rules = {};
  EXPECT_EQ(report.with({report.vcek, "snp/ask-ark-milan.pem"}), code::kDebug.code);
}

TEST(SnpVectors, a_report_with_another_chips_certificate_is_refused) {
  NEEDS_VECTORS();
  EXPECT_EQ(usual().with({debugged().vcek, "snp/ask-ark-milan.pem"}), code::kSignature.code);
  EXPECT_EQ(debugged().with({usual().vcek, "snp/ask-ark-milan.pem"}), code::kSignature.code);
  for (const Published& report : {usual(), debugged()}) {
    EXPECT_EQ(report.with({"snp/turin-vcek.der", "snp/ask-ark-turin.pem"}), code::kSignature.code);
    EXPECT_EQ(report.with({"snp/ask-ark-milan.pem"}), code::kKey.code);
  }
}

TEST(SnpVectors, a_report_finds_its_certificate_among_others) {
  NEEDS_VECTORS();
  for (const Published& report : {usual(), debugged()}) {
    EXPECT_EQ(
        report.with({"snp/turin-vcek.der", debugged().vcek, usual().vcek, "snp/asvk-ark-milan.pem",
                     "snp/ask-ark-genoa.pem", "snp/ask-ark-milan.pem", "snp/ask-ark-turin.pem"}),
        "accepted");
  }
}

TEST(SnpVectors, a_report_under_the_authorities_of_another_product_is_refused) {
  NEEDS_VECTORS();
  for (const Published& report : {usual(), debugged()}) {
    for (const std::string_view others :
         {"snp/ask-ark-genoa.pem", "snp/ask-ark-turin.pem", "snp/asvk-ark-milan.pem",
          "snp/asvk-ark-genoa.pem", "snp/asvk-ark-turin.pem"}) {
      EXPECT_EQ(report.with({report.vcek, others}), code::kChain.code) << others;
    }
    EXPECT_EQ(report.with({report.vcek}), code::kChain.code);
  }
}

TEST(SnpVectors, all_authorities_lead_to_roots_of_this_build) {
  NEEDS_VECTORS();
  for (const Root& root : vendor_roots()) {
    for (const std::string_view kind : {"ask", "asvk"}) {
      std::string product(name_of(root.product));
      product[0] = static_cast<char>(product[0] + ('a' - 'A'));
      const std::string file = formatted("snp/{}-ark-{}.pem", kind, product);
      const Collateral collateral = collateral_of({file});
      ASSERT_EQ(collateral.certificates().size(), 2u);
      const auto chain = chain_of(collateral.certificates()[0], collateral.certificates(),
                                  {.anchors = {root.key}, .known_critical = {}});
      ASSERT_TRUE(chain) << file << ": " << chain.error().text;
      EXPECT_EQ(chain->size(), 2u);
      EXPECT_EQ(common_name(chain->at(1)), formatted("ARK-{}", name_of(root.product)));
      // By itself it is a chain, too: it is signed by its own key.
      EXPECT_TRUE(chain_of(chain->at(1), std::vector{chain->at(1)},
                           {.anchors = {root.key}, .known_critical = {}}));
    }
  }
}

TEST(SnpVectors, a_certificate_of_turin_is_read_and_leads_to_its_root) {
  NEEDS_VECTORS();
  const Collateral collateral = collateral_of({"snp/turin-vcek.der", "snp/ask-ark-turin.pem"});
  const X509Certificate& leaf = collateral.certificates()[0];
  const auto chain = chain_of(leaf, collateral.certificates(),
                              {.anchors = {vendor_roots()[2].key}, .known_critical = {}});
  ASSERT_TRUE(chain) << chain.error().text;
  EXPECT_EQ(chain->size(), 3u);
  EXPECT_TRUE(check_validity(*chain, 1'740'000'000));
  EXPECT_FALSE(check_validity(*chain, leaf.not_before() - 1));
  EXPECT_FALSE(check_validity(*chain, leaf.not_after() + 1));
  const auto endorsement = read_endorsement(leaf);
  ASSERT_TRUE(endorsement) << endorsement.error().text;
  EXPECT_EQ(endorsement->product, "Turin");
  EXPECT_EQ(endorsement->hardware_id.size(), 8u);
  EXPECT_TRUE(endorsement->svn[9].has_value());
  EXPECT_TRUE(certified_tcb(*endorsement, Product::kTurin));
  EXPECT_FALSE(certified_tcb(Endorsement{}, Product::kTurin));
}

TEST(SnpVectors, are_accepted_while_their_certificates_are_valid_and_not_before_or_after) {
  NEEDS_VECTORS();
  for (const Published& report : {usual(), debugged()}) {
    const auto leaf = *X509Certificate::from_der(vector_file(report.vcek));
    const auto at = [&](int64_t now) {
      return report.with({report.vcek, "snp/ask-ark-milan.pem"}, now);
    };
    EXPECT_EQ(at(leaf.not_before() - 1), code::kValidity.code);
    EXPECT_EQ(at(leaf.not_before()), "accepted");
    EXPECT_EQ(at(leaf.not_after()), "accepted");
    EXPECT_EQ(at(leaf.not_after() + 1), code::kValidity.code);
  }
}

TEST(SnpVectors, a_minimum_above_the_firmware_says_which_part_is_short_and_what_raises_it) {
  NEEDS_VECTORS();
  const auto judged = [](const Tcb& least) {
    Published report = usual();
    report.rules.tcb_min[0] = least;
    return judge(report.report, collateral_of({report.vcek, "snp/ask-ark-milan.pem"}), report.rules,
                 kIn2024);
  };
  EXPECT_EQ(judged({3, 0, 0, 0, 0, 0, 8, 0x73}).outcome(), "accepted");
  const Judged microcode = judged({3, 0, 0, 0, 0, 0, 8, 0x74});
  ASSERT_EQ(microcode.outcome(), code::kTcb.code);
  EXPECT_EQ(microcode.verdict.first_failure()->actual, "microcode SVN 115 < 116");
  EXPECT_NE(microcode.verdict.next().find("update the processor's microcode"), std::string::npos);
  const Judged firmware = judged({4, 0, 0, 0, 0, 0, 8, 0x73});
  ASSERT_EQ(firmware.outcome(), code::kTcb.code);
  EXPECT_EQ(firmware.verdict.first_failure()->actual, "boot loader SVN 3 < 4");
  EXPECT_NE(firmware.verdict.next().find("AGESA"), std::string::npos);
}

}  // namespace
}  // namespace casemate::verify::snp
