// SPDX-License-Identifier: Apache-2.0
// casemate collateral fetch as a user runs it, and casemate verify behind it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "base/format.h"
#include "outside/child/child.h"
#include "outside/cli/command.h"
#include "outside/client/testing/pictures.h"
#include "outside/fetch/testing/vendor_server.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/policy.h"
#include "outside/verify/testing/issuer.h"
#include "outside/verify/testing/vectors.h"

namespace casemate::cli {
namespace {

using verify::intel::testing::TestPlatform;
using verify::testing::vector_file;
using FetchedKind = verify::intel::testing::Kind;

class CollateralFetch : public testing::Test {
 protected:
  void SetUp() override {
    if (!child::program_in_path("curl")) GTEST_SKIP() << "curl is not installed";
    // A proxy of the machine's has no business with its loopback.
    ::setenv("no_proxy", "127.0.0.1", 1);
  }

  // Runs a command: its exit code, and in `said` all that it printed.
  int command(std::vector<std::string> arguments) {
    std::ostringstream out;
    const int code = run(arguments, {out, out});
    said_ = out.str();
    return code;
  }
  int fetch_for(const std::string& evidence, std::vector<std::string> more = {}) {
    std::vector<std::string> all = {
        "collateral",  "fetch", evidence,      "-o",   collateral_, "--intel",
        server_.url(), "--amd", server_.url(), "--ca", ca_};
    all.insert(all.end(), more.begin(), more.end());
    return command(all);
  }
  int verify_at(const std::string& evidence, const std::string& time,
                std::vector<std::string> more = {}) {
    std::vector<std::string> all = {"verify", evidence, "--collateral", collateral_, "--at", time};
    all.insert(all.end(), more.begin(), more.end());
    return command(all);
  }
  static std::string vector_path(std::string_view name) {
    const char* source = std::getenv("CASEMATE_SOURCE");
    return formatted("{}/../shared/data/attestation/{}", source == nullptr ? "." : source, name);
  }

  client::testing::TestFolder folder_;
  fetch::testing::VendorServer server_;
  std::string collateral_ = folder_.path("collateral");
  std::string ca_ = folder_.file("ca.pem", bytes_of(std::string_view(server_.authority())));
  std::string said_;
};

TEST_F(CollateralFetch, prints_each_file_and_verify_accepts_by_the_folder) {
  const TestPlatform made(FetchedKind::kSgx3);
  const std::string quote = folder_.file("q.bin", made.quote());
  fetch::testing::serve_intel(server_, *fetch::what_to_fetch(made.quote()), made.collateral());
  ASSERT_EQ(fetch_for(quote), kDone) << said_;
  EXPECT_TRUE(said_.starts_with(
      quote + ": a quote of an SGX enclave on a platform with FMSPC ABC06F000000\n"))
      << said_;
  EXPECT_TRUE(said_.contains("intel-root.crl: ")) << said_;
  EXPECT_TRUE(said_.contains(" bytes, TCB info of SGX platforms with FMSPC ABC06F000000\n"));
  EXPECT_EQ(std::ranges::count(said_, '\n'), 9) << said_;
  verify::Policy policy;
  policy.intel = made.rules();
  policy.allow_software_root = true;
  const std::string file =
      folder_.file("p.json", bytes_of(std::string_view(verify::policy_text(policy))));
  EXPECT_EQ(verify_at(quote, "1772323200", {"--policy", file}), kDone) << said_;
}

TEST_F(CollateralFetch, for_published_quotes_is_what_verify_accepts_them_by) {
  NEEDS_VECTORS();
  const auto check = [&](const std::string& name, std::string_view bundle, std::string_view time) {
    verify::Collateral collateral;
    ASSERT_TRUE(collateral.add("bundle.json", vector_file(bundle)));
    const std::string quote = vector_path(name);
    const auto plan = fetch::what_to_fetch(vector_file(name));
    ASSERT_TRUE(plan) << name << plan.error().text;
    fetch::testing::serve_intel(server_, *plan, collateral);
    ASSERT_EQ(fetch_for(quote), kDone) << name << said_;
    EXPECT_EQ(verify_at(quote, std::string(time)), kDone) << name << said_;
    std::filesystem::remove_all(collateral_);
  };
  check("tdx/v4-uptodate-quote.bin", "tdx/v4-uptodate-collateral.json", "2025-07-01T00:00:00Z");
  check("tdx/v5-quote.dat", "tdx/v5-no-level-collateral.json", "2026-03-01T00:00:00Z");
}

TEST_F(CollateralFetch, for_a_published_report_is_what_verify_accepts_it_by) {
  NEEDS_VECTORS();
  const std::string report = vector_path("snp/milan-v2-report.hex");
  const auto plan = fetch::what_to_fetch(vector_file("snp/milan-v2-report.hex"), "Milan");
  ASSERT_TRUE(plan) << plan.error().text;
  // AMD's list is not among what was published: one by the same name, of somebody else.
  const verify::testing::CertificateForm form{.name = "ARK-Milan"};
  const auto key = SigningKey::generate();
  fetch::testing::serve_amd(
      server_, *plan,
      {.vcek = vector_file("snp/milan-v2-vcek.der"),
       .authorities = std::string(text_of(vector_file("snp/ask-ark-milan.pem"))),
       .crl = verify::testing::issue_crl(form.name, *key, {})});
  EXPECT_EQ(fetch_for(report), kRefused);
  EXPECT_TRUE(said_.contains("give --product Milan, Genoa or Turin")) << said_;
  ASSERT_EQ(fetch_for(report, {"--product", "Milan"}), kDone) << said_;
  EXPECT_EQ(verify_at(report, "2024-07-03T00:00:00Z"), kDone) << said_;
}

TEST_F(CollateralFetch, exits_by_what_went_wrong_in_one_line) {
  const TestPlatform made(FetchedKind::kTdx4);
  const std::string quote = folder_.file("q.bin", made.quote());
  EXPECT_EQ(fetch_for(quote), kRefused) << "nothing is served: 404";
  EXPECT_TRUE(said_.contains("casemate: " + server_.url() + "/tdx/certification/v4/tcb?")) << said_;
  EXPECT_EQ(fetch_for(quote, {"--timeout", "0"}), kUsage);
  EXPECT_EQ(command({"collateral", "fetch", quote}), kUsage) << "without -o";
  EXPECT_EQ(command({"collateral"}), kUsage);
  EXPECT_EQ(fetch_for(folder_.path("none")), kRefused);
  const std::string text = folder_.file("text", bytes_of(std::string_view("hello")));
  EXPECT_EQ(fetch_for(text), kRefused);
  EXPECT_TRUE(said_.starts_with("casemate: " + text + ": 5 bytes that are no evidence")) << said_;
}

}  // namespace
}  // namespace casemate::cli
