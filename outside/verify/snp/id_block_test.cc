// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/id_block.h"

#include <gtest/gtest.h>

#include "outside/verify/snp/codes.h"
#include "outside/verify/snp/testing/judged.h"
#include "outside/verify/testing/vectors.h"

namespace casemate::verify::snp {
namespace {

constexpr std::string_view kPublishedBlock =
    "oU1jg0HlZ0Yo/h4C++3r5eWrT68d1y2JZgaOYVu5nv0T0hSzXCMXFbOOJj3GBZdFAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAABAAAAAAAAAAAAAwAAAAAA";

IdBlock published_block() { return *id_block_in(bytes_of(kPublishedBlock)); }

// A key as authentication information has it: curve, and both coordinates little-endian.
std::vector<uint8_t> key_field(const SigningKey& key) {
  std::vector<uint8_t> field(0x404);
  field[0] = 2;
  const Bytes point = Bytes(key.public_der()).last(96);
  std::reverse_copy(point.begin(), point.begin() + 48, field.begin() + 4);
  std::reverse_copy(point.begin() + 48, point.end(), field.begin() + 4 + 72);
  return field;
}

void sign_field(const SigningKey& key, Bytes message, MutableBytes field) {
  const Signature signature = *key.sign(message);
  std::reverse_copy(signature.begin(), signature.begin() + 48, field.begin());
  std::reverse_copy(signature.begin() + 48, signature.end(), field.begin() + 72);
}

// Authentication information for `block`, with an author key if there is one.
std::vector<uint8_t> authentication_of(const IdBlock& block, const SigningKey& id_key,
                                       const SigningKey* author_key) {
  std::vector<uint8_t> bytes(kIdAuthenticationBytes);
  bytes[0] = 1;
  const auto id_field = key_field(id_key);
  std::ranges::copy(id_field, bytes.begin() + 0x240);
  sign_field(id_key, bytes_of(block), MutableBytes(bytes).subspan(0x40));
  if (author_key == nullptr) return bytes;
  bytes[4] = 1;
  std::ranges::copy(key_field(*author_key), bytes.begin() + 0x880);
  sign_field(*author_key, id_field, MutableBytes(bytes).subspan(0x680));
  return bytes;
}

TEST(IdBlock, that_was_published_is_signed_by_both_keys) {
  NEEDS_VECTORS();
  const auto checked =
      check_id_block(published_block(), verify::testing::vector_file("snp/id-auth-block.bin"));
  ASSERT_TRUE(checked) << checked.error().text;
  EXPECT_EQ(to_hex(checked->id_key),
            "59fb2c686dfa4fef49f38339aa775c90051c28d57383ddc3baf3b5eb4b1496df3b0dbbdcbae5fe27677a"
            "644820773fe2");
  ASSERT_TRUE(checked->author_key);
  EXPECT_EQ(to_hex(*checked->author_key),
            "eed81169fb0cb5e0ec34794f128fd4e0c4a46f67c65a1adfa81fcb24bcc088c272369b7ffc3eb2b6af6a"
            "4284a1b36c5f");
}

TEST(IdBlock, files_that_are_none_are_not_taken_for_one) {
  EXPECT_TRUE(id_block_in(std::vector<uint8_t>(96)));
  EXPECT_FALSE(id_block_in(std::vector<uint8_t>(95)));
  EXPECT_FALSE(id_block_in(std::vector<uint8_t>(128, '*')));
  EXPECT_FALSE(id_block_in({}));
  EXPECT_FALSE(looks_like_id_authentication(std::vector<uint8_t>(4096)));
  EXPECT_FALSE(check_id_block({}, {}));
}

// The verdict on a report beside whose certificates an ID block lies.
std::string with_block(testing::Reporter& reporter, const IdBlock& block,
                       const std::vector<uint8_t>& authentication) {
  reporter.sign();
  Collateral collateral = reporter.collateral();
  EXPECT_TRUE(collateral.add("block", bytes_of(block)));
  EXPECT_TRUE(collateral.add("authentication", authentication));
  return testing::judge(reporter.evidence(), collateral, reporter.rules()).outcome();
}

TEST(IdBlock, among_the_collateral_has_to_be_of_the_guest_that_reports) {
  const SigningKey id_key = *SigningKey::generate();
  const SigningKey author_key = *SigningKey::generate();
  for (const SigningKey* author : {static_cast<const SigningKey*>(nullptr), &author_key}) {
    testing::Reporter reporter;
    Report& report = reporter.report;
    const IdBlock block{.measurement = report.measurement, .guest_svn = 3, .policy = report.policy};
    report.guest_svn = 3;
    report.id_key_digest = sha384(key_field(id_key));
    if (author != nullptr) report.author_key_digest = sha384(key_field(*author));
    const auto authentication = authentication_of(block, id_key, author);
    EXPECT_EQ(with_block(reporter, block, authentication), "accepted");
    IdBlock other = block;
    other.guest_svn = 4;
    EXPECT_EQ(with_block(reporter, other, authentication), code::kIdBlock.code);
    EXPECT_EQ(with_block(reporter, other, authentication_of(other, id_key, author)),
              code::kIdBlock.code);
    EXPECT_EQ(with_block(reporter, block, authentication_of(block, author_key, author)),
              code::kIdBlock.code);
    report.author_key_digest[0] ^= 1;
    EXPECT_EQ(with_block(reporter, block, authentication), code::kIdBlock.code);
  }
}

}  // namespace
}  // namespace casemate::verify::snp
