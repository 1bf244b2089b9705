// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/launch.h"

#include <gtest/gtest.h>

#include "outside/verify/snp/codes.h"
#include "outside/verify/snp/testing/judged.h"
#include "outside/verify/testing/vectors.h"

namespace casemate::verify::snp {
namespace {

using verify::testing::vector_file;

std::string digest_with(std::string_view image, const Launch& launch) {
  const auto digest = launch_digest(vector_file(image), launch);
  return digest ? to_hex(*digest) : digest.error().text;
}

// An empty kernel and an empty initial file system.
MeasuredKernel empty_kernel(std::string_view command_line) {
  return {.kernel = sha256({}), .initrd = sha256({}), .command_line = std::string(command_line)};
}

TEST(Launch, pages_of_an_image_have_the_published_digest) {
  NEEDS_VECTORS();
  EXPECT_EQ(to_hex(image_digest(vector_file("snp/ovmf-amdsev-suffix.bin"))),
            "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a5"
            "0da6d466b74");
  EXPECT_EQ(to_hex(image_digest(vector_file("snp/ovmf-ovmfx64-suffix.bin"))),
            "b91e6fec73d2bcc57ad5fd400a426ce02731c22ea92bc894ce675e7c9921a822977d6cf025b85f8ef4f26"
            "4bff8839d20");
}

TEST(Launch, of_whole_guests_have_the_published_digests) {
  NEEDS_VECTORS();
  EXPECT_EQ(digest_with("snp/ovmf-amdsev-suffix.bin", {.processors = 1, .guest_features = 0x1}),
            "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d7"
            "6e7c5df632d");
  EXPECT_EQ(digest_with("snp/ovmf-amdsev-suffix.bin", {.processors = 1, .guest_features = 0x21}),
            "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f"
            "22adbcd0e2b");
  EXPECT_EQ(digest_with("snp/ovmf-amdsev-suffix.bin",
                        {.processors = 1,
                         .guest_features = 0x21,
                         .kernel = empty_kernel("console=ttyS0 loglevel=7")}),
            "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe"
            "778d0228977");
  EXPECT_EQ(digest_with("snp/ovmf-amdsev-suffix.bin",
                        {.processors = 4, .guest_features = 0x1, .kernel = empty_kernel("")}),
            "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c"
            "36e23046ad5");
  EXPECT_EQ(digest_with("snp/ovmf-ovmfx64-suffix.bin", {.processors = 1, .guest_features = 0x21}),
            "28797ae0afaba4005a81e629acebfb59e6687949d6be44007cd5506823b0dd66f146aaae26ff291eed7b4"
            "93d8a64c385");
}

TEST(Launch, a_kernel_that_an_image_would_not_measure_is_refused) {
  NEEDS_VECTORS();
  const auto digest =
      launch_digest(vector_file("snp/ovmf-ovmfx64-suffix.bin"),
                    {.processors = 1, .guest_features = 0x21, .kernel = empty_kernel("")});
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().code, Code::kUnsupported);
}

TEST(Launch, images_that_lie_are_refused_or_have_another_digest) {
  NEEDS_VECTORS();
  auto image = vector_file("snp/ovmf-amdsev-suffix.bin");
  const auto good = launch_digest(image, {});
  ASSERT_TRUE(good);
  for (size_t i = 0; i < image.size(); ++i) {
    if (image[i] == 0 && i % 16 != 0) continue;
    image[i] ^= 0xff;
    const auto bent = launch_digest(image, {});
    EXPECT_FALSE(bent && *bent == *good) << i;
    image[i] ^= 0xff;
  }
  for (size_t size = 0; size < image.size(); size += 97)
    EXPECT_FALSE(launch_digest(Bytes(image).first(size), {}));
  EXPECT_FALSE(launch_digest(image, {.processors = 0}));
  EXPECT_FALSE(launch_digest(image, {.processors = 1025}));
}

TEST(Launch, of_the_policy_is_what_the_report_has_to_come_from) {
  NEEDS_VECTORS();
  const auto image = vector_file("snp/ovmf-amdsev-suffix.bin");
  testing::Reporter reporter;
  reporter.report.measurement = *launch_digest(image, {.processors = 4});
  reporter.sign();
  Collateral collateral = reporter.collateral();
  ASSERT_TRUE(collateral.add("OVMF.fd", image));
  const auto with = [&](std::string_view firmware, uint32_t processors) {
    Rules rules = reporter.rules();
    rules.launches = {{.firmware = "OTHER.fd", .launch = {}},
                      {.firmware = std::string(firmware), .launch = {.processors = processors}}};
    return testing::judge(reporter.evidence(), collateral, rules).outcome();
  };
  EXPECT_EQ(with("OVMF.fd", 4), "accepted");
  EXPECT_EQ(with("OVMF.fd", 3), code::kLaunch.code);
  EXPECT_EQ(with("OVMF.bin", 4), code::kLaunch.code);
}

}  // namespace
}  // namespace casemate::verify::snp
