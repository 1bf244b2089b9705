// SPDX-License-Identifier: Apache-2.0
#include "outside/certify/development_pki.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "base/format.h"
#include "outside/verify/development/development_chain.h"
#include "wire/evidence/evidence.h"

namespace casemate::certify {
namespace {

namespace fs = std::filesystem;

SecretKey seed_of(uint8_t fill) {
  SecretKey seed;
  seed.fill(fill);
  return seed;
}

TEST(DevelopmentPki, of_one_seed_is_the_same_to_the_byte_and_of_another_is_another) {
  const auto one = DevelopmentPki::make(seed_of(1));
  const auto again = DevelopmentPki::make(seed_of(1));
  const auto other = DevelopmentPki::make(seed_of(2));
  ASSERT_TRUE(one && again && other);
  EXPECT_EQ(*one->attestation.to_der(), *again->attestation.to_der());
  EXPECT_EQ(one->chain, again->chain);
  for (const auto key :
       {&DevelopmentPki::root, &DevelopmentPki::platform, &DevelopmentPki::attestation}) {
    EXPECT_EQ(((*one).*key).public_der(), ((*again).*key).public_der());
    EXPECT_NE(((*one).*key).public_der(), ((*other).*key).public_der());
  }
  EXPECT_NE(one->root.public_der(), one->platform.public_der()) << "each key is for one purpose";
}

// So that a seed means the same to later builds: whoever pinned its root goes on accepting it.
TEST(DevelopmentPki, of_a_seed_has_the_root_that_it_always_had) {
  const auto pki = DevelopmentPki::make(seed_of(0));
  ASSERT_TRUE(pki);
  EXPECT_EQ(to_hex(sha256(pki->root.public_der())),
            "29ace09110056934d0c02b30d46ba2cf2a60e5e952c273b81ae10e3407119d7f");
  EXPECT_EQ(to_hex(sha256(pki->attestation.public_der())),
            "57ee19233078e5ea9a140113a8f94e118c4f327b95ebf7ff037453e2f4c321e4");
}

TEST(DevelopmentPki, is_a_chain_of_the_form_that_verifiers_ask_for) {
  const auto pki = DevelopmentPki::make(seed_of(3));
  ASSERT_TRUE(pki);
  const auto chain = verify::read_development_chain(pki->chain);
  ASSERT_TRUE(chain) << chain.error().text;
  const Status good = verify::check_development_chain(*chain);
  EXPECT_TRUE(good) << good.error().text;
  EXPECT_TRUE(std::ranges::equal(chain->front().key, pki->attestation.public_der()));
  EXPECT_TRUE(std::ranges::equal(chain->back().key, pki->root.public_der()));
  const auto valid = [&](int64_t now) {
    return verify::check_development_validity(*chain, now).has_value();
  };
  EXPECT_TRUE(valid(DevelopmentPki::kValidFrom) && valid(DevelopmentPki::kValidUntil));
  EXPECT_FALSE(valid(DevelopmentPki::kValidFrom - 1) || valid(DevelopmentPki::kValidUntil + 1));
}

class StateFolder : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(folder_.data()), nullptr); }
  void TearDown() override {
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] std::string content(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary | std::ios::trunc) << content;
    EXPECT_EQ(::chmod(path(name).c_str(), 0600), 0);
  }
  [[nodiscard]] std::string refusal() const {
    const Status done = install_development_pki(folder_, system_random());
    return done ? "" : done.error().text;
  }

  std::string folder_ = "/tmp/casemate-pki-XXXXXX";
};

TEST_F(StateFolder, gets_three_files_that_only_their_owner_can_read_and_keeps_them) {
  const mode_t before = ::umask(0);  // the mode is our own choice
  EXPECT_EQ(refusal(), "");
  ::umask(before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 3) << "and nothing lies beside";
  for (const char* name : {DevelopmentPki::kSeedFile, kSoftwareKeyFile, kSoftwareChainFile}) {
    struct stat facts{};
    ASSERT_EQ(::lstat(path(name).c_str(), &facts), 0) << name;
    EXPECT_EQ(facts.st_mode, static_cast<mode_t>(S_IFREG | 0600)) << name;
  }
  const std::string key = content(kSoftwareKeyFile);
  const std::string chain = content(kSoftwareChainFile);
  EXPECT_TRUE(SigningKey::from_der(bytes_of(std::string_view(key))));
  fs::remove(path(DevelopmentPki::kSeedFile));
  EXPECT_EQ(refusal(), "") << "what is there needs no seed";
  EXPECT_EQ(content(kSoftwareKeyFile), key);
  EXPECT_EQ(content(kSoftwareChainFile), chain);
}

TEST_F(StateFolder, gets_back_what_it_had_from_its_seed) {
  EXPECT_EQ(refusal(), "");
  const std::string key = content(kSoftwareKeyFile);
  const std::string chain = content(kSoftwareChainFile);
  for (const std::string name : {kSoftwareKeyFile, kSoftwareChainFile}) {
    fs::remove(path(name));
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(content(kSoftwareKeyFile), key);
    EXPECT_EQ(content(kSoftwareChainFile), chain);
  }
}

TEST_F(StateFolder, has_both_made_anew_where_they_do_not_belong_together) {
  EXPECT_EQ(refusal(), "");
  const std::string key = content(kSoftwareKeyFile);
  const std::string chain = content(kSoftwareChainFile);
  const auto other = DevelopmentPki::make(seed_of(9));
  ASSERT_TRUE(other);
  const std::vector<uint8_t> other_key = *other->attestation.to_der();
  for (const auto& [name, text] : std::initializer_list<std::pair<std::string, std::string>>{
           {kSoftwareKeyFile, std::string(text_of(other_key))},
           {kSoftwareChainFile, std::string(text_of(other->chain))},
           {kSoftwareChainFile, chain.substr(0, chain.size() - 1)},
           {kSoftwareKeyFile, ""}}) {
    put(name, text);
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(content(kSoftwareKeyFile), key) << name;
    EXPECT_EQ(content(kSoftwareChainFile), chain) << name;
  }
  // Whose both files somebody has put there himself keeps them.
  put(kSoftwareKeyFile, std::string(text_of(other_key)));
  put(kSoftwareChainFile, std::string(text_of(other->chain)));
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(content(kSoftwareKeyFile), text_of(other_key));
}

TEST_F(StateFolder, takes_the_seed_that_lies_in_it) {
  put(DevelopmentPki::kSeedFile, to_hex(seed_of(7)) + "\n");
  EXPECT_EQ(refusal(), "");
  const std::string chain = content(kSoftwareChainFile);
  EXPECT_EQ(chain, text_of(DevelopmentPki::make(seed_of(7))->chain));
}

TEST_F(StateFolder, refuses_a_seed_that_is_none_or_is_others_too) {
  const std::string seed = path(DevelopmentPki::kSeedFile);
  for (const std::string text : {"", "00", "no seed at all", "\n"}) {
    put(DevelopmentPki::kSeedFile, text);
    EXPECT_EQ(refusal(), seed +
                             ": must have 64 hexadecimal digits; correct it, or remove it to have "
                             "a new root made");
  }
  put(DevelopmentPki::kSeedFile, to_hex(seed_of(7)) + to_hex(seed_of(7)));
  EXPECT_TRUE(refusal().contains("must have 64 hexadecimal digits")) << refusal();
  put(DevelopmentPki::kSeedFile, to_hex(seed_of(7)));
  ASSERT_EQ(::chmod(seed.c_str(), 0640), 0);
  EXPECT_EQ(refusal(), seed + ": must be a file that only its owner can read: chmod 600 it");
  fs::remove(seed);
  fs::create_symlink(path("elsewhere"), seed);
  EXPECT_TRUE(refusal().starts_with("opening " + seed)) << refusal();
  EXPECT_FALSE(fs::exists(path("elsewhere")));
  EXPECT_FALSE(fs::exists(path(kSoftwareKeyFile))) << "nothing is made without a seed";
}

TEST_F(StateFolder, says_where_it_cannot_be_written) {
  const Status done = install_development_pki(path("missing"), system_random());
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().text.starts_with("writing " + path("missing"))) << done.error().text;
}

TEST_F(StateFolder, is_none_the_worse_for_a_crash_or_a_link_to_nowhere) {
  // Of a process that crashed, or of one that writes it in another container and has our number.
  const std::string names[] = {DevelopmentPki::kSeedFile, kSoftwareKeyFile, kSoftwareChainFile};
  for (const std::string& name : names) put(formatted("{}.{}", name, ::getpid()), "half");
  fs::create_symlink(path("elsewhere"), path(kSoftwareKeyFile));
  EXPECT_EQ(refusal(), "");
  EXPECT_FALSE(fs::exists(path("elsewhere")));
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(path(kSoftwareKeyFile))));
  for (const std::string& name : names)
    EXPECT_EQ(content(formatted("{}.{}", name, ::getpid())), "half") << "that one loses it";
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 6) << "and nothing of ours";
}

}  // namespace
}  // namespace casemate::certify
