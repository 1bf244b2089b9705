// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/format.h"
#include "trusted/attest/root.h"
#include "wire/evidence/evidence.h"

namespace casemate::attest {
namespace {

namespace fs = std::filesystem;

class SoftwareRoot : public testing::Test {
 protected:
  void SetUp() override {
    std::string scratch = "/tmp/casemate-root-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    folder_ = scratch;
  }
  void TearDown() override {
    std::error_code error;
    fs::remove_all(folder_, error);
  }

  [[nodiscard]] std::string key() const { return folder_ + "/software-root.key"; }
  [[nodiscard]] Result<std::unique_ptr<RootOfTrust>> open(bool debug = false) const {
    return open_software_root(folder_, platform(), debug);
  }
  static Sha384Digest platform() {
    Sha384Digest digest{};
    digest.fill(0x5A);
    return digest;
  }
  // What the root says about some report data.
  [[nodiscard]] SoftwareQuote quote(bool debug = false) const {
    const auto root = open(debug);
    EXPECT_TRUE(root) << root.error().text;
    ByteArray<64> data{};
    data.fill(0x17);
    const auto bytes = (*root)->quote(allow::assume_all_powers().vouch, data);
    EXPECT_TRUE(bytes && bytes->size() == sizeof(SoftwareQuote));
    return load<SoftwareQuote>(*bytes);
  }
  [[nodiscard]] std::string content() const {
    std::ifstream file(key(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void replace(const std::string& content) const {
    std::ofstream(key(), std::ios::binary | std::ios::trunc) << content;
  }
  void expect_refused(Code code, const std::string& words) const {
    const auto root = open();
    ASSERT_FALSE(root) << words;
    EXPECT_EQ(root.error().code, code) << root.error().text;
    EXPECT_NE(root.error().text.find(words), std::string::npos) << root.error().text;
  }

  std::string folder_;
};

TEST_F(SoftwareRoot, makes_a_key_that_only_its_owner_can_read_and_keeps_it) {
  const mode_t before = ::umask(0);  // the mode is the root's own choice
  const SoftwareQuote first = quote();
  ::umask(before);
  struct stat facts{};
  ASSERT_EQ(::lstat(key().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode, static_cast<mode_t>(S_IFREG | 0600));
  EXPECT_EQ(facts.st_uid, ::geteuid());
  EXPECT_EQ(quote().root_key, first.root_key) << "the next start has the same root";
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "and nothing lies beside it";
}

TEST_F(SoftwareRoot, signs_what_it_was_asked_and_what_it_knows) {
  for (const bool debug : {false, true}) {
    const SoftwareQuote said = quote(debug);
    EXPECT_TRUE(check_form(said));
    EXPECT_EQ(said.flags, debug ? SoftwareQuote::kDebug : 0u);
    EXPECT_EQ(said.platform_measurement, platform());
    EXPECT_EQ(said.report_data[0], 0x17);
    const Bytes root_key = Bytes(said.root_key).first(said.root_key_size);
    EXPECT_TRUE(verify_signature(root_key, said.signed_bytes(), said.signature));
    SoftwareQuote changed = said;
    changed.flags ^= SoftwareQuote::kDebug;
    EXPECT_FALSE(verify_signature(root_key, changed.signed_bytes(), said.signature));
  }
}

TEST_F(SoftwareRoot, refuses_a_key_that_others_can_reach) {
  ASSERT_TRUE(open());
  for (const mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601, 0666, 0777}) {
    ASSERT_EQ(::chmod(key().c_str(), mode), 0);
    expect_refused(Code::kDenied, "only its owner can read");
  }
  ASSERT_EQ(::chmod(key().c_str(), 0600), 0);
  EXPECT_TRUE(open());
}

TEST_F(SoftwareRoot, refuses_the_key_of_another_owner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_TRUE(open());
  ASSERT_EQ(::chown(key().c_str(), 1, 1), 0);
  expect_refused(Code::kDenied, "only its owner can read");
}

TEST_F(SoftwareRoot, follows_no_link_and_reads_nothing_but_a_file) {
  ASSERT_TRUE(open());
  fs::rename(key(), folder_ + "/elsewhere");
  fs::create_symlink(folder_ + "/elsewhere", key());
  expect_refused(Code::kPlatform, "opening " + key());
  fs::remove(key());
  fs::create_directory(key());
  ASSERT_EQ(::chmod(key().c_str(), 0700), 0);
  expect_refused(Code::kDenied, "must be a file");
  fs::remove(key());
  ASSERT_EQ(::mkfifo(key().c_str(), 0600), 0);  // nobody writes to it
  expect_refused(Code::kDenied, "must be a file");
}

TEST_F(SoftwareRoot, a_link_to_nowhere_does_not_have_its_key_made_there) {
  fs::create_symlink(folder_ + "/elsewhere", key());
  ASSERT_TRUE(open());
  EXPECT_FALSE(fs::exists(folder_ + "/elsewhere"));
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(key())));
}

TEST_F(SoftwareRoot, refuses_an_empty_a_cut_and_a_foreign_key) {
  ASSERT_TRUE(open());
  const std::string whole = content();
  replace("");
  expect_refused(Code::kInvalid, "is empty; remove it to have a new root made");
  for (size_t size = 1; size < whole.size(); ++size) {
    replace(whole.substr(0, size));
    EXPECT_FALSE(open()) << "cut to " << size << " of " << whole.size() << " bytes";
  }
  replace(std::string(whole.size(), 'x'));
  EXPECT_FALSE(open());
  replace(whole);
  EXPECT_TRUE(open());
}

TEST_F(SoftwareRoot, starts_after_a_crash_that_left_half_a_key) {
  // The process that crashed had our number: the first of a container has it every time.
  std::ofstream(formatted("{}.{}", key(), ::getpid())) << "half";
  const auto root = open();
  EXPECT_TRUE(root) << root.error().text;
}

TEST_F(SoftwareRoot, says_which_folder_it_cannot_write) {
  const auto root = open_software_root(folder_ + "/missing", platform(), false);
  ASSERT_FALSE(root);
  EXPECT_NE(root.error().text.find(folder_ + "/missing"), std::string::npos) << root.error().text;
}

}  // namespace
}  // namespace casemate::attest
