// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cose/cose.h"

#include <gtest/gtest.h>

#include "outside/verdict/cbor_writer.h"

namespace casemate::verify {
namespace {

const SigningKey& cose_key() {
  static const SigningKey key = *SigningKey::generate();
  return key;
}

// What an item of four parts says, with this protected header and that payload; signed as it
// stands.
Result<Sign1> read(Bytes item) {
  CborReader reader(item);
  auto read = TRY(read_sign1(reader, "the item"));
  TRY(reader.end("the item"));
  return read;
}

std::vector<uint8_t> with_header(const CborWriter& header) {
  CborWriter writer;
  writer.head(CborType::kTag, 18).head(CborType::kArray, 4).bytes(header.written());
  writer.head(CborType::kMap, 0).bytes({}).bytes(std::vector<uint8_t>(96));
  return writer.written();
}

TEST(Cose, what_we_sign_is_read_and_verified) {
  const std::vector<uint8_t> payload = {1, 2, 3};
  const auto item = make_sign1(payload, cose_key());
  ASSERT_TRUE(item);
  const auto parsed = read(*item);
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(std::vector<uint8_t>(parsed->payload.begin(), parsed->payload.end()), payload);
  EXPECT_TRUE(check_sign1(*parsed, cose_key().public_der()));
  EXPECT_FALSE(check_sign1(*parsed, SigningKey::generate()->public_der()));
}

TEST(Cose, one_bent_bit_anywhere_is_refused) {
  auto item = *make_sign1(std::vector<uint8_t>{1, 2, 3}, cose_key());
  for (size_t i = 0; i < item.size(); ++i) {
    item[i] ^= static_cast<uint8_t>(1 << i % 8);
    const auto parsed = read(item);
    EXPECT_FALSE(parsed && check_sign1(*parsed, cose_key().public_der())) << i;
    item[i] ^= static_cast<uint8_t>(1 << i % 8);
  }
}

TEST(Cose, headers_name_one_algorithm_and_nothing_that_has_to_be_obeyed) {
  const auto header = [](size_t count) {
    CborWriter writer;
    writer.head(CborType::kMap, count);
    return writer;
  };
  EXPECT_TRUE(read(with_header(header(1).integer(1).integer(kEs384))));
  EXPECT_TRUE(read(
      with_header(header(3).integer(1).integer(kEs384).text("a").integer(1).integer(3).text("b"))));
  EXPECT_FALSE(read(with_header(header(0))));
  EXPECT_FALSE(read(with_header(header(2).integer(1).integer(kEs384).integer(1).integer(kEs256))));
  EXPECT_FALSE(read(with_header(
      header(2).integer(1).integer(kEs384).integer(2).head(CborType::kArray, 1).integer(3))));
  EXPECT_FALSE(read(with_header(header(1).integer(1).text("ES384"))));
}

TEST(Cose, algorithms_that_nobody_knows_or_of_other_curves_are_refused) {
  const auto bytes = *make_sign1({}, cose_key());
  auto item = read(bytes);
  ASSERT_TRUE(item);
  for (const int64_t algorithm : {int64_t{0}, int64_t{5}, int64_t{-8}, kEs256, kEs512}) {
    item->algorithm = algorithm;
    EXPECT_FALSE(check_sign1(*item, cose_key().public_der())) << algorithm;
  }
}

}  // namespace
}  // namespace casemate::verify
