// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/roots.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

// A machine of which only what a test makes is there.
class Roots : public testing::Test {
 protected:
  void SetUp() override {
    std::string scratch = "/tmp/casemate-roots-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    machine_ = scratch;
  }
  void TearDown() override {
    std::error_code error;
    fs::remove_all(machine_, error);
  }
  void file(const std::string& path) const {
    fs::create_directories(fs::path(machine_ + path).parent_path());
    std::ofstream(machine_ + path) << "x";
  }
  void folder(const std::string& path) const { fs::create_directories(machine_ + path); }
  [[nodiscard]] std::string chosen() const {
    return std::string(name_of(*choose_root("auto", roots_here(machine_))));
  }
  [[nodiscard]] std::string what(RootKind kind) const {
    for (const RootHere& root : roots_here(machine_)) {
      if (root.kind == kind) return root.what;
    }
    return "";
  }

  std::string machine_;
};

TEST_F(Roots, of_a_bare_machine_are_software_and_the_others_say_what_is_missing) {
  EXPECT_EQ(chosen(), "software");
  EXPECT_TRUE(what(RootKind::kTsm).starts_with("no confidential guest (SEV-SNP, TDX or CCA)"));
  EXPECT_TRUE(what(RootKind::kGramine).starts_with("no SGX enclave under Gramine"));
  EXPECT_TRUE(what(RootKind::kTpm).starts_with("no TPM 2.0, or its driver is not loaded"));
}

TEST_F(Roots, are_chosen_by_strength) {
  file("/dev/attestation/attestation_type");
  EXPECT_EQ(chosen(), "gramine");
  folder("/sys/kernel/config/tsm/report");
  file("/dev/tdx_guest");
  EXPECT_EQ(chosen(), "tsm");
}

TEST_F(Roots, of_each_kind_of_guest_are_known) {
  folder("/sys/kernel/config/tsm/report");
  EXPECT_EQ(chosen(), "software");
  EXPECT_TRUE(what(RootKind::kTsm).ends_with("modprobe sev-guest, tdx_guest or arm-cca-guest"));
  for (const std::string driver :
       {"/dev/sev-guest", "/dev/tdx_guest", "/sys/module/arm_cca_guest/version"}) {
    file(driver);
    EXPECT_EQ(chosen(), "tsm") << driver;
    fs::remove_all(fs::path(machine_ + driver).parent_path().filename() == "dev"
                       ? fs::path(machine_ + driver)
                       : fs::path(machine_ + driver).parent_path());
  }
  EXPECT_EQ(chosen(), "software");
}

TEST_F(Roots, of_a_guest_without_its_file_system_say_how_to_mount_it) {
  file("/dev/sev-guest");
  EXPECT_EQ(chosen(), "software");
  EXPECT_TRUE(what(RootKind::kTsm).ends_with("mount -t configfs none /sys/kernel/config"));
}

TEST_F(Roots, that_are_root_s_are_nobody_else_s) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may do everything";
  folder("/sys/kernel/config/tsm/report");
  file("/dev/sev-guest");
  ASSERT_EQ(::chmod((machine_ + "/sys/kernel/config/tsm/report").c_str(), 0555), 0);
  EXPECT_EQ(chosen(), "software");
  EXPECT_TRUE(what(RootKind::kTsm).ends_with("may be used by root alone: start as root"));
}

TEST_F(Roots, are_named_by_whoever_wants_a_certain_one_and_opened_by_the_monitor) {
  const auto roots = roots_here(machine_);
  EXPECT_EQ(*choose_root("software", roots), RootKind::kSoftware);
  EXPECT_EQ(*choose_root("tpm", roots), RootKind::kTpm);
  EXPECT_EQ(*choose_root("tsm", roots), RootKind::kTsm);
  EXPECT_EQ(*choose_root("gramine", roots), RootKind::kGramine);
  for (const std::string name : {"", "TSM", "unknown", "sgx", "auto "}) {
    const auto none = choose_root(name, roots);
    ASSERT_FALSE(none) << name;
    EXPECT_EQ(none.error().text, "--root " + name +
                                     ": there is no such root of trust; name auto, tsm, gramine, "
                                     "tpm or software");
  }
}

}  // namespace
}  // namespace casemate::launch
