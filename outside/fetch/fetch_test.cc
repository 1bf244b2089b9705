// SPDX-License-Identifier: Apache-2.0
// Fetching from a service on loopback, through the curl of this machine.
#include "outside/fetch/fetch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/format.h"
#include "outside/child/child.h"
#include "outside/client/testing/pictures.h"
#include "outside/fetch/testing/vendor_server.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/platform_evidence.h"
#include "outside/verify/snp/testing/reporter.h"
#include "outside/verify/testing/issuer.h"
#include "outside/verify/x509/testing/authority.h"

namespace casemate::fetch {
namespace {

namespace fs = std::filesystem;
namespace snp = verify::snp;
using client::testing::TestFolder;
using snp::Product;
using snp::testing::Reporter;
using testing::Answer;
using testing::VendorServer;
using verify::intel::testing::kNow;
using verify::intel::testing::TestPlatform;
using IntelKind = verify::intel::testing::Kind;

class Fetch : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!child::program_in_path("curl")) GTEST_SKIP() << "curl is not installed";
    // A proxy of the machine's has no business with its loopback.
    ::setenv("no_proxy", "127.0.0.1", 1);
  }

  Services services() {
    const std::string& pem = server_.authority();
    return {.intel = server_.url() + "/",
            .amd = server_.url(),
            .ca_file = files_.file("ca.pem", bytes_of(std::string_view(pem))),
            .patience = std::chrono::seconds(20)};
  }
  // Why it failed, or "".
  std::string fetched(const Plan& plan, const Services& from) {
    told_.clear();
    const Status done = fetch(plan, from, folder_, [&](const Kept& kept) {
      told_.push_back(kept.file);
      EXPECT_EQ(fs::file_size(folder_ + "/" + kept.file), kept.content.size());
    });
    if (done) return "";
    return formatted("{}: {}", name_of(done.error().code), done.error().text);
  }
  std::string fetched(const Plan& plan) { return fetched(plan, services()); }
  // Every name in the folder, also of what is hidden.
  std::vector<std::string> names() {
    std::vector<std::string> all;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder_, none))
      all.push_back(entry.path().filename().string());
    std::ranges::sort(all);
    return all;
  }

  TestFolder files_;
  std::string folder_ = files_.path("made/on the way");
  VendorServer server_;
  std::vector<std::string> told_;
  TestPlatform platform_{IntelKind::kTdx4};
  Plan plan_ = *what_to_fetch(platform_.quote());
};

TEST_F(Fetch, of_intel_s_collateral_fills_a_folder_that_proves_the_quote) {
  testing::serve_intel(server_, plan_, platform_.collateral());
  ASSERT_EQ(fetched(plan_), "");
  EXPECT_EQ(told_.size(), 7u);
  EXPECT_EQ(names().size(), 7u) << "nothing else is left";
  EXPECT_EQ(server_.asked(),
            (std::vector<std::string>{"/tdx/certification/v4/tcb?fmspc=ABC06F000000",
                                      "/tdx/certification/v4/qe/identity",
                                      "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
                                      "/sgx/certification/v4/rootcacrl"}));
  verify::Policy policy;
  policy.intel = platform_.rules();
  policy.allow_software_root = true;
  const auto collateral = verify::Collateral::read_folder(folder_);
  ASSERT_TRUE(collateral) << collateral.error().text;
  const auto verdict = verify::verify_platform(platform_.quote(), {}, policy, *collateral, kNow);
  EXPECT_TRUE(verdict.passed) << text_of(verdict);
}

TEST_F(Fetch, of_amd_s_certificates_fills_a_folder_that_proves_the_report) {
  const Reporter reporter(Product::kTurin);
  const Plan plan = *what_to_fetch(reporter.evidence());
  const auto made = reporter.certificates();
  std::string authorities;
  for (const auto& der : {made[1], made[2]})
    authorities += verify::testing::pem_of(*verify::X509Certificate::from_der(der));
  testing::serve_amd(server_, plan,
                     {.vcek = made[0],
                      .authorities = authorities,
                      .crl = verify::testing::issue_crl("ARK-Turin", reporter.root_key, {})});
  ASSERT_EQ(fetched(plan), "");
  EXPECT_EQ(told_.size(), 3u);
  verify::Policy policy;
  policy.snp = reporter.rules();
  policy.snp.require_crl = true;
  policy.allow_software_root = true;
  const auto collateral = verify::Collateral::read_folder(folder_);
  ASSERT_TRUE(collateral) << collateral.error().text;
  const auto verdict =
      verify::verify_platform(reporter.evidence(), {}, policy, *collateral, snp::testing::kNow);
  EXPECT_TRUE(verdict.passed) << text_of(verdict);
}

TEST_F(Fetch, of_a_cloud_s_report_is_complete_only_with_the_cloud_s_certificate) {
  const Reporter reporter(Product::kMilan, true);
  const Plan plan = *what_to_fetch(reporter.evidence());
  const auto made = reporter.certificates();
  std::string authorities;
  for (const auto& der : {made[1], made[2]})
    authorities += verify::testing::pem_of(*verify::X509Certificate::from_der(der));
  testing::serve_amd(server_, plan,
                     {.authorities = authorities,
                      .crl = verify::testing::issue_crl("ARK-Milan", reporter.root_key, {})});
  const std::string why = fetched(plan);
  EXPECT_TRUE(why.starts_with("not found: the report was signed by a VLEK")) << why;
  EXPECT_EQ(names().size(), 2u);
  std::ofstream(folder_ + "/vlek", std::ios::binary) << text_of(made[0]);
  EXPECT_EQ(fetched(plan), "");
}

TEST_F(Fetch, of_a_file_that_is_there_replaces_it_whole) {
  testing::serve_intel(server_, plan_, platform_.collateral());
  fs::create_directories(folder_);
  const std::string old = folder_ + "/intel-root.crl";
  std::ofstream(old) << "old";
  fs::create_hard_link(old, files_.path("twin"));
  ASSERT_EQ(fetched(plan_), "");
  EXPECT_GT(fs::file_size(old), 100u);
  EXPECT_EQ(fs::file_size(files_.path("twin")), 3u) << "it was written into";
  ASSERT_EQ(fetched(plan_), "") << "once more";
  EXPECT_EQ(names().size(), 7u);
}

TEST_F(Fetch, from_a_server_of_another_authority_is_refused_and_keeps_nothing) {
  testing::serve_intel(server_, plan_, platform_.collateral());
  const VendorServer other;
  Services from = services();
  const std::string& pem = other.authority();
  from.ca_file = files_.file("other.pem", bytes_of(std::string_view(pem)));
  for (const bool named_authority : {true, false}) {
    if (!named_authority) from.ca_file.clear();
    const std::string why = fetched(plan_, from);
    EXPECT_TRUE(why.starts_with("denied: " + server_.url())) << why;
    EXPECT_TRUE(why.contains("/tdx/certification/v4/tcb?fmspc=ABC06F000000: curl ended with "))
        << why;
    EXPECT_TRUE(why.contains("--ca FILE")) << why;
  }
  EXPECT_TRUE(names().empty());
  EXPECT_TRUE(server_.asked().empty());
}

TEST_F(Fetch, of_what_the_service_has_not_is_told_with_its_address_and_keeps_what_came) {
  testing::serve_intel(server_, plan_, platform_.collateral());
  server_.set("/sgx/certification/v4/rootcacrl", {.status = 404});
  const std::string why = fetched(plan_);
  EXPECT_TRUE(why.starts_with("not found: " + server_.url() +
                              "/sgx/certification/v4/rootcacrl: "
                              "curl ended with 22 and said \"curl: (22) "))
      << why;
  EXPECT_TRUE(why.contains("404")) << why;
  EXPECT_EQ(names().size(), 6u);
  EXPECT_EQ(told_.size(), 6u);
}

TEST_F(Fetch, of_an_answer_that_leads_elsewhere_does_not_follow) {
  testing::serve_intel(server_, plan_, platform_.collateral());
  server_.set(plan_.wanted[0].path,
              {.status = 302, .headers = formatted("Location: {}/x\r\n", server_.url())});
  const std::string why = fetched(plan_);
  EXPECT_TRUE(why.contains("the answer's status is 302")) << why;
  EXPECT_EQ(server_.asked().size(), 1u);
  EXPECT_TRUE(names().empty());
}

TEST_F(Fetch, of_answers_that_are_too_large_is_broken_off) {
  testing::serve_intel(server_, plan_, platform_.collateral());
  server_.set(plan_.wanted[0].path, {.body = std::string(kAnswerBytes + 1, ' ')});
  std::string why = fetched(plan_);
  EXPECT_TRUE(why.starts_with("too large: ")) << why;
  server_.set(plan_.wanted[0].path, {.endless = true});
  why = fetched(plan_);
  EXPECT_TRUE(why.starts_with("too large: ")) << why;
  EXPECT_TRUE(names().empty());
}

TEST_F(Fetch, of_an_answer_that_never_comes_ends_in_time) {
  testing::serve_intel(server_, plan_, platform_.collateral());
  server_.set(plan_.wanted[0].path, {.silent = true});
  Services from = services();
  from.patience = std::chrono::milliseconds(300);
  const auto begin = std::chrono::steady_clock::now();
  const std::string why = fetched(plan_, from);
  EXPECT_TRUE(why.starts_with("timed out: ")) << why;
  EXPECT_TRUE(why.contains("--timeout SECONDS")) << why;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  EXPECT_TRUE(names().empty());
}

TEST_F(Fetch, of_a_page_or_of_garbage_in_a_header_keeps_nothing_of_it) {
  testing::serve_intel(server_, plan_, platform_.collateral());
  Answer second = server_.answer_to(plan_.wanted[1].path);
  const std::string headers =
      std::exchange(second.headers, "SGX-Enclave-Identity-Issuer-Chain: %%%\r\n");
  server_.set(plan_.wanted[1].path, second);
  const std::string garbage = fetched(plan_);
  EXPECT_TRUE(garbage.starts_with("invalid: ")) << garbage;
  EXPECT_TRUE(garbage.contains("in the header SGX-Enclave-Identity-Issuer-Chain")) << garbage;
  EXPECT_EQ(names().size(), 2u) << "the answer before";
  server_.set(plan_.wanted[1].path, {.body = "<html>log in</html>", .headers = headers});
  const std::string page = fetched(plan_);
  EXPECT_TRUE(page.contains("\"<html>log in</html>\"; nothing of it was kept")) << page;
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(Fetch, where_nobody_listens_says_how_to_do_without_a_network) {
  Services from = services();
  {
    const VendorServer gone;
    from.intel = gone.url();
  }
  const std::string why = fetched(plan_, from);
  EXPECT_TRUE(why.starts_with("unavailable: " + from.intel)) << why;
  EXPECT_TRUE(why.contains("is there a network?")) << why;
}

TEST_F(Fetch, without_curl_is_refused_before_a_folder_is_made) {
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", files_.path("").c_str(), 1);
  const std::string why = fetched(plan_);
  ::setenv("PATH", before.c_str(), 1);
  EXPECT_TRUE(why.starts_with("not found: there is no program curl")) << why;
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(Fetch, from_what_is_no_address_or_by_a_missing_authority_is_refused) {
  for (const std::string_view address : {"http://127.0.0.1", "https://", "ftp://a", "https://a?b",
                                         "https://u:p@a", "https://a b", "-o/etc/passwd"}) {
    Services from = services();
    from.amd = address;
    EXPECT_TRUE(fetched(plan_, from).starts_with("invalid: --amd ")) << address;
    from = services();
    from.intel = address;
    EXPECT_TRUE(fetched(plan_, from).starts_with("invalid: --intel ")) << address;
  }
  Services from = services();
  from.ca_file = files_.path("none");
  EXPECT_TRUE(fetched(plan_, from).starts_with("not found: "));
  EXPECT_TRUE(server_.asked().empty());
}

TEST(Addresses, are_the_vendors_own_unless_the_user_names_others) {
  const Wanted root{.service = Service::kIntelRoot, .path = "/IntelSGXRootCA.der"};
  EXPECT_EQ(url_of(root, {}), "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der");
  EXPECT_EQ(url_of(root, {.intel = "https://pccs:8081/"}),
            "https://pccs:8081/sgx/certification/v4/rootcacrl");
  const Wanted info{.service = Service::kIntel, .path = "/x?y=1"};
  EXPECT_EQ(url_of(info, {}), "https://api.trustedservices.intel.com/x?y=1");
  EXPECT_EQ(url_of(info, {.intel = "https://pccs/base"}), "https://pccs/base/x?y=1");
  const Wanted chain{.service = Service::kAmd, .path = "/vcek/v1/Milan/crl"};
  EXPECT_EQ(url_of(chain, {.intel = "https://pccs"}), "https://kdsintf.amd.com/vcek/v1/Milan/crl");
  EXPECT_EQ(url_of(chain, {.amd = "https://a"}), "https://a/vcek/v1/Milan/crl");
}

}  // namespace
}  // namespace casemate::fetch
