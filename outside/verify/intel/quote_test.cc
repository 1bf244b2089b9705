// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/quote.h"

#include <gtest/gtest.h>

#include "outside/verify/intel/pck.h"
#include "outside/verify/intel/testing/platform.h"

namespace casemate::verify::intel {
namespace {

using testing::Kind;
using testing::TestPlatform;

TEST(Quote, that_is_cut_off_anywhere_is_refused) {
  for (const Kind kind : {Kind::kSgx3, Kind::kTdx4, Kind::kTdx15}) {
    const std::vector<uint8_t> quote = TestPlatform(kind).quote();
    ASSERT_TRUE(read_quote(quote).has_value());
    for (size_t size = 0; size < quote.size(); ++size) {
      // A copy of exactly that size, so that a sanitizer sees who reads on.
      const std::vector<uint8_t> cut(quote.begin(), quote.begin() + static_cast<ptrdiff_t>(size));
      EXPECT_FALSE(read_quote(cut).has_value()) << size;
    }
  }
}

TEST(Quote, of_an_unknown_version_key_or_tee_is_refused) {
  TestPlatform made(Kind::kTdx4);
  const std::vector<uint8_t> good = made.quote();
  const auto changed = [&](size_t offset, uint8_t value) {
    std::vector<uint8_t> quote = good;
    quote[offset] = value;
    return read_quote(quote);
  };
  EXPECT_EQ(changed(0, 6).error().code, Code::kUnsupported);
  EXPECT_EQ(changed(0, 2).error().code, Code::kUnsupported);
  EXPECT_EQ(changed(2, 3).error().code, Code::kUnsupported);
  EXPECT_EQ(changed(4, 0x82).error().code, Code::kUnsupported);
  EXPECT_EQ(changed(12, 0).error().code, Code::kUnsupported);
  EXPECT_FALSE(changed(0, 3).has_value());  // of TDX in version 3
}

TEST(Quote, of_version_5_whose_body_contradicts_itself_is_refused) {
  for (const Kind kind : {Kind::kSgx5, Kind::kTdx5, Kind::kTdx15}) {
    const std::vector<uint8_t> good = TestPlatform(kind).quote();
    for (uint8_t type = 0; type < 5; ++type) {
      std::vector<uint8_t> quote = good;
      if (type == quote[48]) continue;
      quote[48] = type;
      EXPECT_FALSE(read_quote(quote).has_value()) << int{type};
    }
    std::vector<uint8_t> quote = good;
    ++quote[50];
    EXPECT_FALSE(read_quote(quote).has_value());
  }
}

TEST(Quote, without_certificates_inside_is_refused_with_what_to_do) {
  std::vector<uint8_t> quote = TestPlatform(Kind::kSgx3).quote();
  quote[48 + 384 + 4 + 64 + 64 + 384 + 64 + 2 + 3] = 3;
  const auto read = read_quote(quote);
  ASSERT_FALSE(read.has_value());
  EXPECT_TRUE(read.error().text.contains("certificates inside")) << read.error().text;
}

TEST(Quote, larger_than_the_limit_is_refused) {
  std::vector<uint8_t> quote = TestPlatform(Kind::kSgx3).quote();
  quote.resize(kQuoteBytes + 1);
  EXPECT_EQ(read_quote(quote).error().code, Code::kTooLarge);
  quote.resize(kQuoteBytes);
  EXPECT_TRUE(read_quote(quote).has_value());
}

TEST(Pck, says_components_versions_and_family) {
  TestPlatform made(Kind::kTdx4);
  made.components[3] = 255;
  made.components[4] = 127;
  made.pce_svn = 300;
  made.certify();
  const auto pck = read_pck(made.pck.certificate());
  ASSERT_TRUE(pck.has_value()) << pck.error().text;
  EXPECT_EQ(pck->components, made.components);
  EXPECT_EQ(pck->pce_svn, 300);
  EXPECT_EQ(to_hex(pck->fmspc), "abc06f000000");
}

TEST(Pck, extension_with_any_byte_changed_or_cut_is_read_or_refused_and_never_beyond) {
  const TestPlatform made(Kind::kTdx4);
  const std::vector<uint8_t> good = made.pck_extension();
  const auto read = [&](std::vector<uint8_t> extension) {
    const auto made_up = made.ca.issue(
        {.name = "PCK", .extensions = {{"1.2.840.113741.1.13.1", std::move(extension)}}});
    return read_pck(made_up.certificate()).has_value();
  };
  EXPECT_TRUE(read(good));
  for (size_t i = 0; i < good.size(); i += 3) {
    std::vector<uint8_t> bent = good;
    bent[i] ^= 0x80;
    read(bent);
    bent.assign(good.begin(), good.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_FALSE(read(bent)) << i;
  }
  std::vector<uint8_t> longer = good;
  longer.push_back(0);
  EXPECT_FALSE(read(longer));
}

}  // namespace
}  // namespace casemate::verify::intel
