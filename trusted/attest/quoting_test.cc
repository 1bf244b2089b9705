// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/quoting.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>

#include "trusted/attest/voucher.h"

namespace casemate::attest {
namespace {

// A root that does what a test says, in whichever process it is asked.
class Slow final : public RootOfTrust {
 public:
  using Answer = std::function<Result<std::vector<uint8_t>>(const ByteArray<64>&)>;
  explicit Slow(Answer answer) : answer_(std::move(answer)) {}
  Result<std::vector<uint8_t>> quote(const allow::Vouch&, const ByteArray<64>& data) override {
    return answer_(data);
  }

 private:
  Answer answer_;
};

// The answer of a root to data of sevens, waited for.
Result<std::vector<uint8_t>> answer_of(const Slow::Answer& answer) {
  Slow root(answer);
  ByteArray<64> data{};
  data.fill(7);
  Quoting quoting = TRY(Quoting::start(root, allow::assume_all_powers().vouch, data));
  pollfd ended{quoting.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 30'000), 1);
  auto result = quoting.finish();
  EXPECT_GT(::waitpid(-1, nullptr, 0), 0);
  return result;
}

TEST(Quoting, gives_what_the_root_gave_to_another_process) {
  const auto got = answer_of([](const ByteArray<64>& data) {
    std::vector<uint8_t> quote(kQuoteBytes, 'q');
    std::ranges::copy(data, quote.begin());
    return quote;
  });
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(got->size(), kQuoteBytes);
  EXPECT_EQ((*got)[63], 7);
  EXPECT_EQ(got->back(), 'q');
}

TEST(Quoting, fails_as_the_root_does) {
  for (const Code code : {Code::kUnavailable, Code::kDenied, Code::kTooLarge}) {
    const auto got =
        answer_of([=](const ByteArray<64>&) { return Error{code, "for some reason"}; });
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, code);
  }
}

TEST(Quoting, fails_when_the_process_dies) {
  const auto got = answer_of([](const ByteArray<64>&) -> Result<std::vector<uint8_t>> {
    ::raise(SIGKILL);
    return std::vector<uint8_t>(1);
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().text, "the process that asked for a quote died");
}

TEST(Quoting, of_a_root_that_never_answers_is_given_up_and_leaves_no_process) {
  Slow root([](const ByteArray<64>&) -> Result<std::vector<uint8_t>> {
    while (true) ::pause();
  });
  int status = 0;
  {
    auto quoting = Quoting::start(root, allow::assume_all_powers().vouch, {});
    ASSERT_TRUE(quoting) << quoting.error().text;
    const auto got = quoting->finish();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kTimedOut);
    EXPECT_EQ(::waitpid(-1, &status, WNOHANG), 0) << "it lives as long as the quoting";
  }
  EXPECT_GT(::waitpid(-1, &status, 0), 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
}

TEST(Quoting, is_how_a_voucher_asks_a_root_that_is_not_quick) {
  auto root = std::make_unique<Slow>(
      [](const ByteArray<64>& data) { return std::vector<uint8_t>(data.begin(), data.end()); });
  auto voucher = Voucher::make(allow::assume_all_powers().vouch, std::move(root), {});
  ASSERT_TRUE(voucher);
  auto vouched = voucher->vouch_for_key({});
  ASSERT_TRUE(vouched && vouched->quoting) << "there is no quote yet";
  pollfd ended{vouched->quoting->fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 30'000), 1);
  const auto quote = vouched->quoting->finish();
  ASSERT_TRUE(quote) << quote.error().text;
  const auto data = report_data_of(vouched->claims);
  EXPECT_EQ(*quote, std::vector<uint8_t>(data.begin(), data.end()));
  EXPECT_GT(::waitpid(-1, nullptr, 0), 0);
}

}  // namespace
}  // namespace casemate::attest
