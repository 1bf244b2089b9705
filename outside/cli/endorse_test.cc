// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "base/clock.h"
#include "base/format.h"
#include "outside/cli/command.h"
#include "outside/client/file.h"
#include "outside/client/testing/pictures.h"
#include "outside/verify/driver/codes.h"
#include "outside/verify/driver/driver.h"

namespace casemate::cli {
namespace {

class Endorse : public testing::Test {
 protected:
  // What it printed, behind the exit code.
  std::string endorse(const std::vector<std::string>& more) {
    std::vector<std::string> list = {"endorse", "--device", "npu", "--issuer", "Ada",
                                     "--key",   key_path(), "-o",  out_};
    list.insert(list.end(), more.begin(), more.end());
    std::ostringstream out;
    std::ostringstream err;
    const int code = run(list, {out, err});
    return formatted("{} {}{}", code, out.str(), err.str());
  }
  std::string key_path() { return folder_.path("author.pem"); }
  // The first check that fails of the endorsement for that program; "accepted".
  std::string judged(const Sha384Digest& program, const std::string& key, int64_t after = 0) {
    verify::driver::Rules rules;
    const auto hash = from_hex(key);
    if (hash && hash->size() == sizeof(Sha384Digest)) rules.keys = {load<Sha384Digest>(*hash)};
    const verify::driver::Driven driven[] = {{"a", "npu:0", program}};
    verify::Verdict verdict;
    verify::Checks checks(verdict);
    const auto file = client::read_file(out_, kDeviceEvidenceBytes);
    if (!file) return file.error().text;
    verify::driver::appraise(*file, driven, rules, system_clock().unix_seconds() + after, checks);
    return verdict.passed || verdict.first_failure() == nullptr
               ? "accepted"
               : std::string(verdict.first_failure()->code);
  }
  static std::string key_in(const std::string& printed) {
    constexpr std::string_view kKeys = "\"keys\": [\"";
    const size_t at = printed.find(kKeys);
    return at == printed.npos ? "" : printed.substr(at + kKeys.size(), 96);
  }

  client::testing::TestFolder folder_;
  std::string out_ = folder_.path("npu.jwt");
  Sha384Digest program_ = sha384(bytes_of(std::string_view("program")));
};

TEST_F(Endorse, makes_a_key_of_its_own_once_and_says_what_policies_call_it) {
  const std::string first = endorse({"--measurement", to_hex(program_)});
  EXPECT_TRUE(first.starts_with("0 made ")) << first;
  EXPECT_EQ(judged(program_, key_in(first)), "accepted") << first;
  struct stat facts{};
  ASSERT_EQ(::stat(key_path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  const std::string second = endorse({"--measurement", to_hex(program_), "--days", "2"});
  EXPECT_TRUE(second.starts_with("0 wrote ")) << second;
  EXPECT_EQ(key_in(second), key_in(first));
  EXPECT_EQ(judged(program_, key_in(first), 2 * 24 * 3600 - 60), "accepted");
  EXPECT_EQ(judged(program_, key_in(first), 2 * 24 * 3600 + 60),
            verify::driver::code::kValidity.code);
  EXPECT_EQ(judged({}, key_in(first)), verify::driver::code::kProgram.code);
}

TEST_F(Endorse, measures_programs_with_their_loader_and_libraries) {
  const std::string printed =
      endorse({"--program", "/bin/true", "--measurement", to_hex(program_)});
  ASSERT_TRUE(printed.starts_with("0 ")) << printed;
  EXPECT_TRUE(printed.contains("endorses 2 programs for npu until 20")) << printed;
  const size_t at = printed.find("  program ");
  ASSERT_NE(at, printed.npos);
  const auto measured = from_hex(printed.substr(at + 10, 96));
  ASSERT_TRUE(measured && measured->size() == sizeof(Sha384Digest)) << printed;
  EXPECT_EQ(judged(load<Sha384Digest>(*measured), key_in(printed)), "accepted");
  EXPECT_EQ(judged(program_, key_in(printed)), "accepted");
}

TEST_F(Endorse, refuses_what_it_cannot_endorse_in_one_line) {
  EXPECT_TRUE(endorse({}).contains("--program FILE or --measurement HEX"));
  EXPECT_TRUE(endorse({"--measurement", "ab"}).contains("96 hexadecimal digits"));
  EXPECT_TRUE(endorse({"--program", "/nobody"}).contains("no such file"));
  EXPECT_FALSE(std::filesystem::exists(key_path())) << "no key for nothing";
  const std::string measurement = to_hex(program_);
  std::ostringstream out;
  std::ostringstream err;
  const std::vector<std::string> numbered = {"endorse", "--device",      "npu:0",    "--issuer",
                                             "Ada",     "--key",         key_path(), "-o",
                                             out_,      "--measurement", measurement};
  EXPECT_EQ(run(numbered, {out, err}), kRefused);
  EXPECT_NE(err.str().find("name npu or opencl, without a number"), std::string::npos) << err.str();
  EXPECT_TRUE(endorse({"--measurement", measurement, "--days", "0"}).starts_with("2 "));
  ASSERT_TRUE(endorse({"--measurement", measurement}).starts_with("0 "));
  ::chmod(key_path().c_str(), 0644);
  EXPECT_TRUE(endorse({"--measurement", measurement}).contains("no other can open"));
}

}  // namespace
}  // namespace casemate::cli
