// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/x509/certificates.h"

#include <gtest/gtest.h>

#include "outside/verify/x509/der.h"
#include "outside/verify/x509/testing/authority.h"

namespace casemate::verify {
namespace {

using testing::Authority;
using testing::pem_of;

std::vector<uint8_t> longer(std::vector<uint8_t> bytes) {
  bytes.push_back(0);
  return bytes;
}

TEST(Certificate, is_read_from_its_own_bytes_and_no_more) {
  const Authority made({.name = "made"});
  const std::vector<uint8_t> der = made.certificate().der();
  const auto read = X509Certificate::from_der(der);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->subject(), "CN=made");
  EXPECT_EQ(read->not_before(), testing::kBegin);
  EXPECT_EQ(read->not_after(), testing::kEnd);
  EXPECT_EQ(read->key(), made.certificate().key());
  const auto trailing = X509Certificate::from_der(longer(der));
  ASSERT_FALSE(trailing.has_value());
  EXPECT_TRUE(trailing.error().text.contains("followed by 1 bytes"));
  for (size_t size = 0; size < der.size(); size += 7)
    EXPECT_FALSE(X509Certificate::from_der(Bytes(der).first(size)).has_value());
}

TEST(Certificate, gives_an_extension_that_is_there_once) {
  const Authority one({.name = "one", .extensions = {{"1.2.3.4", {9, 8}}}});
  const Authority two({.name = "two", .extensions = {{"1.2.3.4", {9}}, {"1.2.3.4", {8}}}});
  const auto content = one.certificate().extension("1.2.3.4");
  ASSERT_TRUE(content.has_value());
  EXPECT_EQ(*content, (std::vector<uint8_t>{9, 8}));
  const auto none = one.certificate().extension("1.2.3.5");
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());
  EXPECT_FALSE(two.certificate().extension("1.2.3.4").has_value());
}

TEST(Certificate, names_are_printable_and_of_one_line) {
  const Authority made({.name = "a\nb\x1b[31m"});
  for (const char c : made.certificate().subject()) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(RevocationList, is_read_from_its_own_bytes_and_no_more) {
  const Authority made({.name = "made", .authority = true});
  // The list's own DER, by way of PEM's absence: what was read is what was written.
  const X509Crl list = made.list({}, 1'000'000'000, 2'000'000'000);
  EXPECT_EQ(list.issuer(), "CN=made");
  EXPECT_EQ(list.this_update(), 1'000'000'000);
  EXPECT_EQ(list.next_update(), 2'000'000'000);
  EXPECT_FALSE(X509Crl::from_der(made.certificate().der()).has_value());
  EXPECT_FALSE(X509Crl::from_der({}).has_value());
}

TEST(Pem, is_read_block_by_block_in_its_order) {
  const Authority first({.name = "first"});
  const Authority second({.name = "second"});
  const std::string both =
      pem_of(first.certificate()) + "a remark\n" + pem_of(second.certificate());
  const auto read = certificates_in_pem(both + std::string(10, '\0'));
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[1].subject(), "CN=second");
  const auto lists = crls_in_pem(both);
  ASSERT_TRUE(lists.has_value());
  EXPECT_TRUE(lists->empty());
  EXPECT_TRUE(certificates_in_pem("")->empty());
}

TEST(Pem, is_a_text_and_not_what_has_one_inside) {
  const std::string good = pem_of(Authority({.name = "made"}).certificate());
  EXPECT_TRUE(is_pem(bytes_of(std::string_view(good))));
  const std::string remarked = "a remark\n" + good + std::string(10, '\0');
  EXPECT_TRUE(is_pem(bytes_of(std::string_view(remarked))));
  const std::string quote = std::string("\4\0\2\0", 4) + good;
  EXPECT_FALSE(is_pem(bytes_of(std::string_view(quote))));
  EXPECT_FALSE(is_pem({}));
}

TEST(Pem, that_is_broken_or_endless_is_refused) {
  const std::string good = pem_of(Authority({.name = "made"}).certificate());
  std::string bent = good;
  bent[40] = '!';
  EXPECT_FALSE(certificates_in_pem(bent).has_value());
  EXPECT_FALSE(certificates_in_pem(good.substr(0, good.size() / 2)).has_value());
  std::string many;
  for (int i = 0; i < 66; ++i) many += good;
  EXPECT_FALSE(certificates_in_pem(many).has_value());
}

TEST(Signature, over_the_message_by_the_key_is_taken_and_no_other) {
  const Authority made({.name = "made"});
  const Authority other({.name = "other"});
  const std::vector<uint8_t> message = {1, 2, 3};
  const std::vector<uint8_t> key = made.certificate().key();
  const auto check = [&](Bytes by, Bytes over, Bytes signature) {
    return check_signature(by, "SHA256", over, signature, true).has_value();
  };
  std::vector<uint8_t> signature = made.sign(message);
  EXPECT_TRUE(check(key, message, signature));
  EXPECT_FALSE(check(other.certificate().key(), message, signature));
  EXPECT_FALSE(check(key, Bytes(message).first(2), signature));
  EXPECT_FALSE(check(key, message, Bytes(signature).first(63)));
  EXPECT_FALSE(check(key, message, {}));
  EXPECT_FALSE(check(longer(key), message, signature));
  EXPECT_FALSE(check_signature(key, "SHA1024", message, signature, true).has_value());
  signature[5] ^= 1;
  EXPECT_FALSE(check(key, message, signature));
  EXPECT_FALSE(check(key, message, std::vector<uint8_t>(64)));
}

TEST(Point, must_be_on_its_curve) {
  const Authority made({.name = "made"});
  ByteArray<64> point = made.point();
  const auto key = key_of_point("P-256", Bytes(point).first(32), Bytes(point).last(32));
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(*key, made.certificate().key());
  point[63] ^= 1;
  EXPECT_FALSE(key_of_point("P-256", Bytes(point).first(32), Bytes(point).last(32)).has_value());
  EXPECT_FALSE(key_of_point("P-256", Bytes(point).first(31), Bytes(point).last(32)).has_value());
  EXPECT_FALSE(key_of_point("P-384", Bytes(point).first(32), Bytes(point).last(32)).has_value());
  EXPECT_FALSE(key_of_point("no curve", Bytes(point).first(32), Bytes(point).last(32)).has_value());
}

TEST(Der, takes_elements_of_the_right_kind_in_their_shortest_form) {
  const auto number = [](std::vector<uint8_t> der) {
    DerReader reader(der);
    const auto value = reader.number(UINT64_MAX, "a number");
    return value && reader.done() ? static_cast<int64_t>(*value) : -1;
  };
  EXPECT_EQ(number({2, 1, 5}), 5);
  EXPECT_EQ(number({2, 1, 0}), 0);
  EXPECT_EQ(number({2, 2, 0, 0xFF}), 255);
  EXPECT_EQ(number({2, 1, 0xFF}), -1);        // negative
  EXPECT_EQ(number({2, 2, 0, 5}), -1);        // not the shortest
  EXPECT_EQ(number({2, 0}), -1);              // nothing
  EXPECT_EQ(number({2, 0x81, 1, 5}), -1);     // a long length for a short value
  EXPECT_EQ(number({2, 0x80, 5, 0, 0}), -1);  // without length
  EXPECT_EQ(number({4, 1, 5}), -1);           // of another kind
  EXPECT_EQ(number({2, 2, 5}), -1);           // cut off
  EXPECT_EQ(number({2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0}), -1);
  EXPECT_EQ(number({}), -1);
}

}  // namespace
}  // namespace casemate::verify
