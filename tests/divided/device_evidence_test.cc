// SPDX-License-Identifier: Apache-2.0
// The word of a driver's author, from `casemate endorse` over a served system's tokens to the
// verdict of its clients.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/format.h"
#include "outside/client/attest.h"
#include "outside/client/session.h"
#include "outside/launch/opencl_files.h"
#include "outside/verify/codes.h"
#include "outside/verify/driver/codes.h"
#include "outside/verify/pins.h"
#include "tests/divided/cut_system.h"
#include "tests/system/casemate_process.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

constexpr const char* kSystemOnNpu = R"(
[defaults]
memory_mib = 512
[model.cut]
devices = ["npu:0"]
prefer = "npu:0"
)";

class Endorsed : public testing::Test {
 protected:
  void SetUp() override {
    std::string scratch = "/tmp/casemate-test-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    folder_ = scratch;
    std::filesystem::create_directories(folder_ + "/models/cut/1");
    serve_model(Target());
  }
  void serve_model(const Target& target) const {
    std::ofstream(folder_ + "/models/cut/1/model.onnx") << target.model;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  // Runs to the end; what was printed, behind the exit code.
  [[nodiscard]] std::string casemate(const std::vector<std::string>& arguments) const {
    return run_casemate(arguments, folder_ + "/printed");
  }
  // Writes an endorsement of the program; the hash of its author's key, as policies name it.
  Sha384Digest endorse(const std::string& program, const std::string& device = "npu") {
    const std::string said =
        casemate({"endorse", "--device", device, "--program", build_folder() + "/bin/" + program,
                  "--issuer", "Ada", "--key", folder_ + "/author.pem", "-o", said_path()});
    EXPECT_TRUE(said.starts_with("0 ")) << said;
    constexpr std::string_view kKeys = "\"keys\": [\"";
    const size_t at = said.find(kKeys);
    const auto key = at == said.npos ? Result<std::vector<uint8_t>>(Error{})
                                     : from_hex(said.substr(at + kKeys.size(), 96));
    EXPECT_TRUE(key) << said;
    return key ? load<Sha384Digest>(*key) : Sha384Digest{};
  }
  [[nodiscard]] std::string said_path() const { return folder_ + "/npu.jwt"; }
  [[nodiscard]] std::string models() const { return folder_ + "/models"; }
  [[nodiscard]] std::vector<std::string> shown() const {
    return {"--device-evidence", "npu:0=" + said_path()};
  }
  static verify::Policy believing(const std::vector<Sha384Digest>& keys, bool required = true) {
    verify::Policy policy;
    policy.allow_software_root = true;
    policy.drivers = {.keys = keys, .required = required};
    return policy;
  }
  static verify::Verdict judged(const ServedSystem& system, const verify::Policy& policy) {
    auto verdict = client::attest(system.url(), policy, {}, "cut", true);
    EXPECT_TRUE(verdict) << verdict.error().text;
    return verdict ? *std::move(verdict) : verify::Verdict();
  }
  static std::string failure_of(const verify::Verdict& verdict) {
    const verify::Check* check = verdict.first_failure();
    EXPECT_EQ(verdict.passed, check == nullptr);
    return check == nullptr ? "" : std::string(check->code);
  }

  std::string folder_;
};

TEST_F(Endorsed, driver_is_believed_by_who_knows_its_author_and_by_nobody_else) {
  const Sha384Digest author = endorse("casemate-npu");
  const ServedSystem system(models(), kSystemOnNpu, shown());
  ASSERT_FALSE(system.url().empty()) << system.printed();
  const verify::Verdict verdict = judged(system, believing({author}));
  EXPECT_EQ(failure_of(verdict), "") << verify::text_of(verdict);
  ASSERT_EQ(verdict.tokens.size(), 3u);
  EXPECT_EQ(verdict.tokens[1].device_evidence, Sha384Digest{});
  const std::string file = content_of(said_path());
  EXPECT_EQ(verdict.tokens[2].device_evidence, sha384(bytes_of(std::string_view(file))));
  ASSERT_EQ(verdict.devices.size(), 1u);
  EXPECT_EQ(verdict.devices[0].device, "npu:0");
  Sha384Digest stranger = author;
  stranger[0] ^= 1;
  EXPECT_EQ(failure_of(judged(system, believing({stranger}))), verify::driver::code::kKey);
  EXPECT_EQ(failure_of(judged(system, believing({}, false))), verify::driver::code::kKey)
      << "whose key is named nowhere is refused, not let pass";
  // Also what is shown to everybody.
  auto session = client::Session::connect(system.url(), believing({author}));
  ASSERT_TRUE(session) << session.error().text;
  const auto model = session->metadata("cut");
  EXPECT_TRUE(model) << model.error().text;
  const auto learned = verify::pinned_policy(judged(system, believing({}, false)));
  EXPECT_EQ(learned.drivers.keys, std::vector<Sha384Digest>{author});
}

// Beside our program its partition has the files of OpenCL's driver, which are endorsed with it.
TEST_F(Endorsed, driver_of_an_opencl_device_is_believed_as_that_of_the_enclave_that_drives_it) {
  if (!launch::opencl_device_files(launch::kOpenclVendors))
    GTEST_SKIP() << "NOT TESTED: this machine has no OpenCL device to serve models on";
  serve_model(on_opencl());
  const Sha384Digest author = endorse("casemate-opencl-device", "opencl");
  const ServedSystem system(models(), on_opencl().system(),
                            {"--device-evidence", "opencl:0=" + said_path()});
  ASSERT_FALSE(system.url().empty()) << system.printed();
  const verify::Verdict verdict = judged(system, believing({author}));
  EXPECT_EQ(failure_of(verdict), "") << verify::text_of(verdict);
  ASSERT_EQ(verdict.tokens.size(), 3u) << "of gateway, model and device";
  EXPECT_EQ(verdict.tokens[1].device_evidence, Sha384Digest{});
  const std::string file = content_of(said_path());
  EXPECT_EQ(verdict.tokens[2].device_evidence, sha384(bytes_of(std::string_view(file))));
  ASSERT_EQ(verdict.devices.size(), 1u);
  EXPECT_EQ(verdict.devices[0].device, "opencl:0");
}

TEST_F(Endorsed, driver_is_refused_where_another_program_was_endorsed) {
  const Sha384Digest author = endorse("casemate-mos");
  const ServedSystem system(models(), kSystemOnNpu, shown());
  ASSERT_FALSE(system.url().empty()) << system.printed();
  EXPECT_EQ(failure_of(judged(system, believing({author}))), verify::driver::code::kProgram);
}

TEST_F(Endorsed, or_not_an_accelerator_is_let_pass_only_where_the_policy_does_not_require_it) {
  const Sha384Digest author = endorse("casemate-npu");
  const ServedSystem system(models(), kSystemOnNpu);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  EXPECT_EQ(failure_of(judged(system, believing({author}))), verify::code::kDeviceSaid);
  EXPECT_EQ(failure_of(judged(system, believing({author}, false))), "");
}

TEST_F(Endorsed, driver_shows_in_what_users_are_told) {
  const std::string key = to_hex(endorse("casemate-npu"));
  const ServedSystem system(models(), kSystemOnNpu, shown());
  ASSERT_FALSE(system.url().empty()) << system.printed();
  const std::string policy = folder_ + "/policy.json";
  std::ofstream(policy) << formatted(
      R"({{"allow_software_root": true, "drivers": {{"keys": ["{}"], "required": true}}}})", key);
  const std::vector<std::string> attest = {"attest", system.url(), "--model", "cut", "--policy"};
  std::vector<std::string> known = attest;
  known.push_back(policy);
  const std::string text = casemate(known);
  EXPECT_TRUE(text.starts_with("0 ")) << text;
  EXPECT_TRUE(text.contains("npu:0, by driver key " + key)) << text;
  EXPECT_TRUE(text.contains("passed  driver.program")) << text;
  std::ofstream(policy) << R"({"allow_software_root": true})";
  const std::string refused = casemate(known);
  EXPECT_TRUE(refused.starts_with("1 ")) << refused;
  EXPECT_TRUE(refused.contains("refused: driver.key of npu:0")) << refused;
}

TEST_F(Endorsed, evidence_of_a_device_that_no_partition_has_is_refused_at_the_start) {
  endorse("casemate-npu");
  const ServedSystem system(models(), kSystemOnNpu, {"--device-evidence", "npu:1=" + said_path()});
  EXPECT_TRUE(system.url().empty());
  EXPECT_TRUE(system.printed().contains("no partition has that device; there are: npu:0"))
      << system.printed();
}

}  // namespace
}  // namespace casemate::tests
