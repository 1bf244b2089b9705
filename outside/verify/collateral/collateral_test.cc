// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/collateral/collateral.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "outside/verify/x509/testing/authority.h"

namespace casemate::verify {
namespace {

using testing::Authority;
using testing::pem_of;

// A folder that goes with the test.
class CollateralFolder : public ::testing::Test {
 protected:
  CollateralFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "casemate-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~CollateralFolder() override { std::filesystem::remove_all(path_); }

  void write(const std::string& name, Bytes content) const {
    std::ofstream stream(path_ / name, std::ios::binary);
    stream << text_of(content);
  }
  void write(const std::string& name, const std::string& content) const {
    write(name, bytes_of(std::string_view(content)));
  }
  std::filesystem::path path_;
};

TEST_F(CollateralFolder, is_sorted_by_content_and_not_by_name) {
  const Authority made({.name = "made", .authority = true});
  write("a.json", made.certificate().der());
  write("b.bin", pem_of(made.certificate()) + pem_of(made.certificate()));
  write("c.der", std::string(" \n{\"tcbInfo\": 1}"));
  write("d.pem", std::string("an event log"));
  write("e", std::string());
  std::filesystem::create_directory(path_ / "inside");
  const auto read = Collateral::read_folder(path_.string());
  ASSERT_TRUE(read.has_value()) << read.error().text;
  EXPECT_EQ(read->certificates().size(), 3u);
  EXPECT_TRUE(read->crls().empty());
  ASSERT_EQ(read->documents().size(), 1u);
  EXPECT_EQ(read->documents()[0].name, "c.der");
  EXPECT_EQ(text_of(read->documents()[0].content), " \n{\"tcbInfo\": 1}");
  ASSERT_EQ(read->others().size(), 2u);
  EXPECT_EQ(read->others()[0].name, "d.pem");
}

TEST(Collateral, keeps_json_that_holds_pem_in_its_texts_as_a_document) {
  const std::string text = R"({"chain": "-----BEGIN CERTIFICATE-----\nMII"})";
  Collateral collateral;
  ASSERT_TRUE(collateral.add("bundle.json", bytes_of(std::string_view(text))).has_value());
  EXPECT_EQ(collateral.documents().size(), 1u);
}

TEST_F(CollateralFolder, that_is_missing_or_holds_too_much_is_refused_by_name) {
  EXPECT_EQ(Collateral::read_folder((path_ / "none").string()).error().code, Code::kNotFound);
  write("big", std::string(Collateral::kFileBytes + 1, 'x'));
  const auto big = Collateral::read_folder(path_.string());
  ASSERT_FALSE(big.has_value());
  EXPECT_TRUE(big.error().text.contains("big")) << big.error().text;
  write("big", std::string());
  for (size_t i = 0; i < Collateral::kFiles; ++i) write(std::to_string(i), std::string("x"));
  EXPECT_EQ(Collateral::read_folder(path_.string()).error().code, Code::kTooLarge);
}

TEST_F(CollateralFolder, with_a_broken_certificate_is_refused_by_the_file_s_name) {
  std::string pem = pem_of(Authority({.name = "made"}).certificate());
  pem[40] = '!';
  write("broken.pem", pem);
  const auto read = Collateral::read_folder(path_.string());
  ASSERT_FALSE(read.has_value());
  EXPECT_TRUE(read.error().text.contains("broken.pem")) << read.error().text;
}

}  // namespace
}  // namespace casemate::verify
