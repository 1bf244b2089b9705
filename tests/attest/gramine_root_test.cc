// SPDX-License-Identifier: Apache-2.0
// The root of an SGX enclave against Gramine's files.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/attest/gramine_os.h"
#include "trusted/attest/root.h"

namespace casemate::tests {
namespace {

using attest::open_gramine_root;
using Quote = Result<std::vector<uint8_t>>;

class GramineRoot : public testing::Test {
 protected:
  Quote quote() {
    Quote result = Error{Code::kPlatform, "nothing was tried"};
    const bool ran = run_answered(GramineOs::kFolder, os_, [&] {
      const auto root = open_gramine_root(GramineOs::kFolder);
      result = root ? (*root)->quote(allow::assume_all_powers().vouch, data_) : Quote(root.error());
    });
    if (!ran) skip();
    EXPECT_TRUE(os_.open_files.empty()) << "no descriptor is left";
    return result;
  }
  static void skip() { GTEST_SKIP() << "the kernel hands no calls over here"; }
  void expect_refused(Code code, const std::string& words) {
    const auto got = quote();
    if (IsSkipped()) return;
    ASSERT_FALSE(got) << words;
    EXPECT_EQ(got.error().code, code) << got.error().text;
    EXPECT_NE(got.error().text.find(words), std::string::npos) << got.error().text;
  }
  void fail(const std::string& at, int error) {
    os_.before = [=](const std::string& call) { return call == at ? -error : 0; };
  }

  GramineOs os_;
  ByteArray<64> data_ = [] {
    ByteArray<64> data{};
    data.fill(0x2A);
    return data;
  }();
};

TEST_F(GramineRoot, writes_its_report_data_before_it_opens_the_quote) {
  const auto got = quote();
  if (IsSkipped()) return;
  ASSERT_TRUE(got) << got.error().text;
  const auto head = load<HardwareQuote>(*got);
  EXPECT_EQ(head.root, static_cast<uint32_t>(RootKind::kGramine));
  EXPECT_EQ(head.provider.view(), "dcap");
  EXPECT_EQ(got->size(), sizeof head + os_.quote_bytes);
  EXPECT_EQ(load<ByteArray<64>>(Bytes(*got).subspan(sizeof head + GramineOs::kReportDataAt)),
            data_);
}

TEST_F(GramineRoot, is_refused_where_gramine_attests_nothing_or_in_another_way) {
  os_.type = "none";
  expect_refused(Code::kUnsupported,
                 "attestation_type: is 'none', and this build takes 'dcap': set "
                 "sgx.remote_attestation = \"dcap\" in Gramine's manifest");
  os_.type = "epid";
  expect_refused(Code::kUnsupported, "is 'epid', and this build takes 'dcap'");
}

TEST_F(GramineRoot, says_that_there_is_no_gramine) {
  fail("access attestation", ENOENT);
  expect_refused(Code::kNotFound,
                 "/dev/attestation: is not there: this is no SGX enclave under Gramine");
}

TEST_F(GramineRoot, refuses_a_quote_that_is_empty_or_endless) {
  os_.quote_bytes = 0;
  expect_refused(Code::kPlatform, "quote: is empty; Gramine's log may say why");
  os_.quote_bytes = kQuoteBytes + 1;
  expect_refused(Code::kTooLarge, "quote: has more than the 32768 bytes that evidence has room");
  os_.quote_bytes = kQuoteBytes;
  expect_refused(Code::kTooLarge, "all of it may have 32768");
}

TEST_F(GramineRoot, survives_every_error_at_every_call) {
  ASSERT_TRUE(quote() || IsSkipped());
  if (IsSkipped()) return;
  const size_t calls = os_.calls;
  size_t refused = 0;
  for (size_t failing = 1; failing <= calls; ++failing) {
    for (const int error : {EIO, EINVAL, ENXIO, EACCES, ENOENT, EINTR}) {
      os_ = GramineOs();
      std::string what;
      os_.before = [&](const std::string& call) {
        if (os_.calls == failing) what = call;
        return os_.calls == failing ? -error : 0;
      };
      const auto got = quote();
      if (got) {
        // Nobody hears of what goes wrong when a file is closed; a verifier sees other data.
        EXPECT_TRUE(what.starts_with("close ")) << what;
        continue;
      }
      ++refused;
      EXPECT_TRUE(got.error().text.starts_with("/dev/attestation")) << got.error().text;
    }
  }
  EXPECT_GT(refused, 30u);
}

}  // namespace
}  // namespace casemate::tests
