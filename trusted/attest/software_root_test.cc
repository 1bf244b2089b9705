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

// What whoever starts the monitor has made. The root reads no certificate, so any bytes are some.
class SoftwareRoot : public testing::Test {
 protected:
  void SetUp() override {
    std::string scratch = "/tmp/casemate-root-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    folder_ = scratch;
    const auto der = key_.to_der();
    ASSERT_TRUE(der);
    put(key(), text_of(*der));
    put(chain(), kCertificates);
  }
  void TearDown() override {
    std::error_code error;
    fs::remove_all(folder_, error);
  }

  [[nodiscard]] std::string key() const { return folder_ + "/development-attestation.key"; }
  [[nodiscard]] std::string chain() const { return folder_ + "/development-attestation.chain"; }
  [[nodiscard]] Result<std::unique_ptr<RootOfTrust>> open(bool debug = false) const {
    return open_software_root(folder_, platform(), debug);
  }
  static Sha384Digest platform() {
    Sha384Digest digest{};
    digest.fill(0x5A);
    return digest;
  }
  // What the root says about some report data.
  [[nodiscard]] std::vector<uint8_t> quote(bool debug = false) const {
    const auto root = open(debug);
    EXPECT_TRUE(root) << root.error().text;
    ByteArray<64> data{};
    data.fill(0x17);
    auto bytes = (*root)->quote(allow::assume_all_powers().vouch, data);
    EXPECT_TRUE(bytes) << bytes.error().text;
    return *std::move(bytes);
  }
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void put(const std::string& path, std::string_view content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
  }
  void expect_refused(Code code, const std::string& words) const {
    const auto root = open();
    ASSERT_FALSE(root) << words;
    EXPECT_EQ(root.error().code, code) << root.error().text;
    EXPECT_NE(root.error().text.find(words), std::string::npos) << root.error().text;
  }

  static constexpr std::string_view kCertificates = "leaf, authority, root";
  std::string folder_;
  SigningKey key_ = *SigningKey::generate();
};

TEST_F(SoftwareRoot, signs_what_it_was_asked_and_what_it_knows) {
  for (const bool debug : {false, true}) {
    const std::vector<uint8_t> whole = quote(debug);
    ASSERT_EQ(whole.size(), sizeof(HardwareQuote) + sizeof(SoftwareQuote) + kCertificates.size());
    const auto said = load<SoftwareQuote>(Bytes(whole).subspan(sizeof(HardwareQuote)));
    EXPECT_TRUE(check_form(said));
    EXPECT_EQ(said.flags, debug ? SoftwareQuote::kDebug : 0u);
    EXPECT_EQ(said.platform_measurement, platform());
    EXPECT_EQ(said.report_data[0], 0x17);
    EXPECT_TRUE(verify_signature(key_.public_der(), said.signed_bytes(), said.signature));
    SoftwareQuote changed = said;
    changed.flags ^= SoftwareQuote::kDebug;
    EXPECT_FALSE(verify_signature(key_.public_der(), changed.signed_bytes(), said.signature));
  }
}

TEST_F(SoftwareRoot, passes_its_certificates_on_behind_the_report) {
  const std::vector<uint8_t> whole = quote();
  const auto head = load<HardwareQuote>(whole);
  EXPECT_EQ(head.root, static_cast<uint32_t>(RootKind::kSoftware));
  EXPECT_EQ(head.provider.view(), kSoftwareProvider);
  EXPECT_EQ(head.report_size, sizeof(SoftwareQuote));
  EXPECT_EQ(text_of(Bytes(whole).last(head.auxiliary_size)), kCertificates);
}

TEST_F(SoftwareRoot, makes_nothing_and_writes_nothing) {
  const std::string before = content(key());
  EXPECT_FALSE(quote().empty());
  EXPECT_EQ(content(key()), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 2);
}

TEST_F(SoftwareRoot, without_its_files_says_who_makes_them) {
  for (const std::string& path : {key(), chain()}) {
    const std::string whole = content(path);
    fs::remove(path);
    expect_refused(Code::kPlatform, "opening " + path);
    expect_refused(Code::kPlatform, "casemate serve makes it where it is missing");
    EXPECT_FALSE(fs::exists(path)) << "it is not for the monitor to make one";
    put(path, whole);
  }
  EXPECT_TRUE(open());
}

TEST_F(SoftwareRoot, of_a_link_is_not_said_to_be_missing) {
  const std::string elsewhere = folder_ + "/elsewhere";
  fs::rename(key(), elsewhere);
  fs::create_symlink(elsewhere, key());
  const auto linked = open();
  ASSERT_FALSE(linked);
  EXPECT_TRUE(linked.error().text.contains(key())) << linked.error().text;
  EXPECT_FALSE(linked.error().text.contains("casemate serve")) << linked.error().text;
}

TEST_F(SoftwareRoot, refuses_a_key_that_others_can_reach) {
  for (const std::string& path : {key(), chain()}) {
    for (const mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601, 0666, 0777}) {
      ASSERT_EQ(::chmod(path.c_str(), mode), 0);
      expect_refused(Code::kDenied, path + ": must be a file that only its owner can read");
    }
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  }
  EXPECT_TRUE(open());
}

TEST_F(SoftwareRoot, refuses_the_key_of_another_owner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  for (const std::string& path : {key(), chain()}) {
    ASSERT_EQ(::chown(path.c_str(), 1, 1), 0);
    expect_refused(Code::kDenied, path + ": must be a file that only its owner can read");
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  }
}

TEST_F(SoftwareRoot, follows_no_link_and_reads_nothing_but_a_file) {
  for (const std::string& path : {key(), chain()}) {
    fs::rename(path, folder_ + "/elsewhere");
    fs::create_symlink(folder_ + "/elsewhere", path);
    expect_refused(Code::kPlatform, "opening " + path);
    fs::remove(path);
    fs::create_directory(path);
    ASSERT_EQ(::chmod(path.c_str(), 0700), 0);
    expect_refused(Code::kDenied, "must be a file");
    fs::remove(path);
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);  // nobody writes to it
    expect_refused(Code::kDenied, "must be a file");
    fs::remove(path);
    fs::rename(folder_ + "/elsewhere", path);
  }
  EXPECT_TRUE(open());
}

TEST_F(SoftwareRoot, refuses_an_empty_a_cut_and_a_foreign_key) {
  const std::string whole = content(key());
  put(key(), "");
  expect_refused(Code::kInvalid, "must have 1 to 8192 bytes; remove it to have casemate serve");
  for (size_t size = 1; size < whole.size(); ++size) {
    put(key(), whole.substr(0, size));
    EXPECT_FALSE(open()) << "cut to " << size << " of " << whole.size() << " bytes";
  }
  put(key(), std::string(whole.size(), 'x'));
  expect_refused(Code::kInvalid, key() + ": the private key is not PKCS#8 DER");
  const auto other = SigningKey::generate(Curve::kP256)->to_der();
  put(key(), text_of(*other));
  expect_refused(Code::kInvalid, key() + ": the private key is not on P-384");
  put(key(), whole);
  EXPECT_TRUE(open());
}

TEST_F(SoftwareRoot, refuses_files_that_are_empty_or_longer_than_they_can_be) {
  for (const std::string& path : {chain(), key()}) {
    for (const size_t size : {size_t{0}, size_t{8193}, size_t{100'000}}) {
      put(path, std::string(size, 'x'));
      expect_refused(Code::kInvalid, path + ": must have 1 to 8192 bytes");
    }
    if (path == chain()) put(path, std::string(8192, 'x'));
  }
}

TEST_F(SoftwareRoot, says_which_folder_it_cannot_read) {
  const auto root = open_software_root(folder_ + "/missing", platform(), false);
  ASSERT_FALSE(root);
  EXPECT_NE(root.error().text.find(folder_ + "/missing"), std::string::npos) << root.error().text;
}

}  // namespace
}  // namespace casemate::attest
