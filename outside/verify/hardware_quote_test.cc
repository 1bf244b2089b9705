// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/hardware_quote.h"

#include <gtest/gtest.h>

namespace casemate::verify {
namespace {

using Buffer = std::vector<uint8_t>;

Buffer good() {
  return *encode_hardware_quote(RootKind::kTsm, "sev_guest", Buffer(1184, 'r'), Buffer(77, 'c'),
                                Buffer(5, 'm'));
}

std::string refusal(const Buffer& bytes) {
  const auto read = read_hardware_quote(bytes);
  return read ? "accepted" : read.error().text;
}

// What is said of a quote whose head was changed.
template <class T>
std::string refusal_with(T HardwareQuote::* field, T value) {
  Buffer bytes = good();
  auto head = load<HardwareQuote>(bytes);
  head.*field = value;
  std::ranges::copy(bytes_of(head), bytes.begin());
  return refusal(bytes);
}

TEST(HardwareQuote, comes_apart_into_what_it_was_made_of) {
  const Buffer bytes = good();
  const auto read = read_hardware_quote(bytes);
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->root, RootKind::kTsm);
  EXPECT_EQ(read->provider, "sev_guest");
  EXPECT_EQ(casemate::text_of(read->report), std::string(1184, 'r'));
  EXPECT_EQ(casemate::text_of(read->auxiliary), std::string(77, 'c'));
  EXPECT_EQ(casemate::text_of(read->manifest), "mmmmm");
  const Buffer least = *encode_hardware_quote(RootKind::kGramine, "dcap", Buffer(1), {}, {});
  EXPECT_EQ(read_hardware_quote(least)->root, RootKind::kGramine);
  const Buffer played =
      *encode_hardware_quote(RootKind::kSoftware, "casemate_dev", Buffer(1), {}, {});
  EXPECT_EQ(read_hardware_quote(played)->root, RootKind::kSoftware);
}

TEST(HardwareQuote, is_refused_when_cut_at_any_byte_or_longer) {
  Buffer bytes = good();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(read_hardware_quote(Bytes(bytes).first(size))) << size;
  bytes.push_back(0);
  EXPECT_EQ(refusal(bytes), "the hardware quote announces 1266 bytes, and 1267 follow");
}

TEST(HardwareQuote, is_refused_for_each_field_that_lies) {
  EXPECT_EQ(refusal_with(&HardwareQuote::magic, uint64_t{1}),
            "the bytes do not start with a hardware quote's head");
  EXPECT_EQ(refusal_with(&HardwareQuote::version, 2u),
            "the hardware quote has version 2, and this build reads 1");
  for (const uint32_t root : {0u, 2u, 5u, ~0u})
    EXPECT_NE(refusal_with(&HardwareQuote::root, root).find("which has none"), std::string::npos);
  for (const std::string provider : {"", "two words", "a\nb", "\x80"})
    EXPECT_EQ(refusal_with(&HardwareQuote::provider, Text<32>::from(provider)),
              "the hardware quote's provider is no word");
  Text<32> endless;
  endless.characters.fill('a');
  EXPECT_EQ(refusal_with(&HardwareQuote::provider, endless),
            "the hardware quote's provider is no word");
  EXPECT_EQ(refusal_with(&HardwareQuote::reserved, 1u),
            "the hardware quote's reserved field is not zero");
  EXPECT_EQ(refusal_with(&HardwareQuote::report_size, 0u), "the hardware quote holds no report");
  // Sums that 32 bits would not hold.
  EXPECT_NE(refusal_with(&HardwareQuote::auxiliary_size, ~0u).find("announces"), std::string::npos);
  EXPECT_NE(refusal_with(&HardwareQuote::manifest_size, ~0u - 1183).find("announces"),
            std::string::npos);
}

}  // namespace
}  // namespace casemate::verify
