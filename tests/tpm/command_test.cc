// SPDX-License-Identifier: Apache-2.0
// `casemate tpm`, from the owner's authority to a quote that passes for its sake.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/tpm/quotes.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

std::string casemate_program() {
  const char* build = std::getenv("CASEMATE_BUILD");
  const fs::path self = fs::read_symlink("/proc/self/exe");
  const fs::path folder =
      build != nullptr ? fs::path(build) : self.parent_path().parent_path().parent_path();
  return folder / "bin/casemate";
}

TEST(TpmCommand, has_a_key_certified_from_the_request_to_quotes_that_pass) {
  const auto tpm = SoftwareTpm::make(true);
  if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
  ASSERT_TRUE(tpm) << tpm.error().text;
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {casemate_program(), "tpm"});
    return tpm->tool(words, true);
  };
  fs::create_directory(tpm->folder() + "/makers");
  fs::copy(tpm->maker(), tpm->folder() + "/makers/maker.pem");
  const std::vector<std::string> authority = {"--key", "lab.key", "--cert", "lab.pem"};
  const auto with_authority = [&](std::vector<std::string> words) {
    words.insert(words.end(), authority.begin(), authority.end());
    return run(words);
  };
  ::setenv("CASEMATE_STATE", (tpm->folder() + "/state").c_str(), 1);
  const auto founded = with_authority({"authority", "Lab"});
  ASSERT_TRUE(founded) << founded.error().text;
  const auto asked = run({"request", "-o", "m.request", "--device", tpm->socket()});
  ASSERT_TRUE(asked) << asked.error().text;
  const auto certified =
      with_authority({"certify", "m.request", "--makers", "makers", "-o", "m.grant"});
  ASSERT_TRUE(certified) << certified.error().text;
  const auto installed = run({"install", "m.grant", "--device", tpm->socket()});
  ASSERT_TRUE(installed) << installed.error().text;
  const auto quote = quote_of(*tpm, tpm->folder() + "/state/" + std::string(kTpmCertificateFile));
  ASSERT_TRUE(quote) << quote.error().text;
  const auto collateral = verify::Collateral::read_folder(tpm->folder() + "/makers");
  verify::Collateral own;
  std::ifstream file(tpm->folder() + "/lab.pem", std::ios::binary);
  const std::string pem{std::istreambuf_iterator<char>(file), {}};
  ASSERT_TRUE(own.add("lab.pem", bytes_of(std::string_view(pem))));
  const verify::TpmRules rules{.authorities = {sha384(own.certificates()[0].key())}};
  EXPECT_NE(certified->find(to_hex(rules.authorities[0])), std::string::npos) << *certified;
  EXPECT_TRUE(judge(*quote, rules, own).passed());
  EXPECT_FALSE(judge(*quote, rules, *collateral).passed()) << "a TPM's maker is no authority";
}

TEST(TpmCommand, says_what_is_wrong_in_one_line) {
  const auto tpm = SoftwareTpm::make();
  if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
  ASSERT_TRUE(tpm) << tpm.error().text;
  const auto asked = tpm->tool(
      {casemate_program(), "tpm", "request", "-o", "m.request", "--device", tpm->socket()}, true);
  ASSERT_FALSE(asked);
  EXPECT_NE(asked.error().text.find("its maker has put no certificate there"), std::string::npos)
      << asked.error().text;
  EXPECT_FALSE(fs::exists(tpm->folder() + "/m.request"));
}

}  // namespace
}  // namespace casemate::tests
