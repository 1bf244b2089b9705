// SPDX-License-Identifier: Apache-2.0
// The root of a confidential guest against configfs-tsm as the kernel has it, with every error at
// every call and rivals in between.
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "base/format.h"
#include "tests/attest/tsm_kernel.h"
#include "trusted/attest/root.h"

namespace casemate::tests {
namespace {

using attest::open_tsm_root;
using Quote = Result<std::vector<uint8_t>>;
using Folder = TsmKernel::Folder;

ByteArray<64> report_data(uint8_t fill = 0x17) {
  ByteArray<64> data{};
  data.fill(fill);
  return data;
}

class TsmRoot : public testing::Test {
 protected:
  // One quote of a root that is opened for it; what open() or quote() say.
  Quote quote() {
    Quote result = Error{Code::kPlatform, "nothing was tried"};
    answered([&] {
      const auto root = open_tsm_root(TsmKernel::kFolder);
      result = root ? (*root)->quote(allow::assume_all_powers().vouch, report_data())
                    : Quote(root.error());
    });
    return result;
  }
  // The same, but what happens to open() happens before `before` does anything.
  Quote quote_of_an_open_root() {
    Quote result = Error{Code::kPlatform, "nothing was tried"};
    auto later = std::exchange(kernel_.before, nullptr);
    answered([&] {
      const auto root = open_tsm_root(TsmKernel::kFolder);
      ASSERT_TRUE(root) << root.error().text;
      kernel_.before = later;
      kernel_.calls = 0;
      result = (*root)->quote(allow::assume_all_powers().vouch, report_data());
    });
    return result;
  }
  void answered(const std::function<void()>& body) {
    if (!run_answered(TsmKernel::kFolder, kernel_, body))
      GTEST_SKIP() << "the kernel hands no calls over here";
    EXPECT_TRUE(kernel_.open_files.empty()) << "no descriptor is left";
    EXPECT_TRUE(kernel_.folders.empty() || !leaves_nothing_) << "the folder is removed";
  }
  void expect_refused(const Quote& quote, Code code, const std::string& words) {
    if (IsSkipped()) return;
    ASSERT_FALSE(quote) << words;
    EXPECT_EQ(quote.error().code, code) << quote.error().text;
    EXPECT_NE(quote.error().text.find(words), std::string::npos) << quote.error().text;
  }
  void fail(const std::string& at, int error) {
    kernel_.before = [=](const std::string& call, Folder*) { return call == at ? -error : 0; };
  }

  TsmKernel kernel_;
  bool leaves_nothing_ = true;
};

TEST_F(TsmRoot, passes_on_what_the_kernel_gives_over_our_report_data) {
  kernel_.manifest_bytes = 33;
  const auto got = quote();
  if (IsSkipped()) return;
  ASSERT_TRUE(got) << got.error().text;
  const auto head = load<HardwareQuote>(*got);
  EXPECT_EQ(head.root, static_cast<uint32_t>(RootKind::kTsm));
  EXPECT_EQ(head.provider.view(), "sev_guest");
  EXPECT_EQ(head.report_size, 1184u);
  EXPECT_EQ(head.auxiliary_size, 4096u);
  EXPECT_EQ(head.manifest_size, 33u);
  EXPECT_EQ(got->size(), sizeof head + 1184 + 4096 + 33);
  EXPECT_EQ(load<ByteArray<64>>(Bytes(*got).subspan(sizeof head + 0x50)), report_data());
  EXPECT_EQ((*got)[sizeof head + 1184], 'c');
  EXPECT_EQ(got->back(), 'm');
}

TEST_F(TsmRoot, takes_a_provider_without_levels_certificates_and_manifest) {
  kernel_.provider = "tdx_guest";
  kernel_.floor.reset();
  kernel_.has_manifest = false;
  kernel_.auxiliary_bytes = 0;
  const auto got = quote();
  if (IsSkipped()) return;
  ASSERT_TRUE(got) << got.error().text;
  const auto head = load<HardwareQuote>(*got);
  EXPECT_EQ(head.provider.view(), "tdx_guest");
  EXPECT_EQ(head.auxiliary_size + head.manifest_size, 0u);
}

TEST_F(TsmRoot, asks_for_the_lowest_level_that_it_may_have) {
  unsigned asked = 99;
  kernel_.floor = 1;
  kernel_.before = [&](const std::string& call, Folder* folder) {
    if (call == "read outblob") asked = folder->privlevel;
    return 0;
  };
  const auto got = quote();
  if (IsSkipped()) return;
  EXPECT_TRUE(got);
  EXPECT_EQ(asked, 1u);
}

TEST_F(TsmRoot, asks_again_when_a_rival_has_written_in_between) {
  for (const std::string moment : {"open outblob", "read outblob", "open auxblob", "read auxblob",
                                   "close auxblob", "open inblob", "write inblob"}) {
    int rivals = 2;
    kernel_.before = [&](const std::string& call, Folder* folder) {
      if (call == moment && rivals-- > 0) folder->write(std::string(64, 'x'));
      return 0;
    };
    const auto got = quote_of_an_open_root();
    if (IsSkipped()) return;
    ASSERT_TRUE(got) << moment << ": " << got.error().text;
    EXPECT_EQ(load<ByteArray<64>>(Bytes(*got).subspan(sizeof(HardwareQuote) + 0x50)), report_data())
        << moment;
    EXPECT_LT(rivals, 1) << moment;
  }
}

TEST_F(TsmRoot, gives_up_on_a_rival_that_never_stops) {
  kernel_.before = [](const std::string& call, Folder* folder) {
    if (call == "open outblob") folder->write(std::string(64, 'x'));
    return 0;
  };
  expect_refused(quote_of_an_open_root(), Code::kUnavailable,
                 "somebody else wrote to it before each of 5 readings: find and stop that program");
  EXPECT_LT(kernel_.calls, 200u);
}

TEST_F(TsmRoot, notices_that_its_report_data_did_not_arrive) {
  // The kernel tells nobody of an error when inblob is closed.
  fail("close inblob", EBUSY);
  expect_refused(quote_of_an_open_root(), Code::kPlatform,
                 "outblob: the kernel does not take what was written: see its log, and update it");
}

TEST_F(TsmRoot, says_what_is_missing_where_there_is_no_provider) {
  kernel_.provider.reset();
  expect_refused(quote(), Code::kNotFound,
                 "nothing here provides evidence: load the guest's driver (modprobe sev-guest, "
                 "tdx_guest or arm-cca-guest), or start with another --root");
}

TEST_F(TsmRoot, says_what_is_missing_where_there_is_no_such_kernel) {
  fail("access report", ENOENT);
  expect_refused(quote(), Code::kNotFound,
                 "/sys/kernel/config/tsm/report: is not there: this is no confidential guest");
}

TEST_F(TsmRoot, says_who_may_use_it) {
  for (const int error : {EACCES, EPERM}) {
    fail("mkdir folder", error);
    expect_refused(quote(), Code::kDenied, "may be used by root alone: start as root");
  }
  fail("mkdir folder", EROFS);
  expect_refused(quote(), Code::kDenied, "cannot be written: in a container, mount it writable");
}

TEST_F(TsmRoot, says_what_to_do_about_evidence_that_is_too_large) {
  kernel_.auxiliary_bytes = 100'000;
  expect_refused(quote(), Code::kTooLarge,
                 "auxblob: the evidence is larger than this kernel passes");
  kernel_.blob_bytes_max = 1 << 20;  // as of Linux 6.19
  expect_refused(quote(), Code::kTooLarge,
                 "auxblob: has more than the 32768 bytes that evidence has");
  kernel_.auxiliary_bytes = 32'000;
  expect_refused(quote(), Code::kTooLarge,
                 "the root's quote has 1184 bytes and its certificates 32000, and all of it may");
}

TEST_F(TsmRoot, says_what_to_do_about_a_busy_kernel_and_a_silent_host) {
  fail("write privlevel", EBUSY);
  expect_refused(quote(), Code::kUnavailable, "privlevel: somebody else writes to it and does not");
  fail("read outblob", ETIMEDOUT);
  expect_refused(quote(), Code::kTimedOut, "outblob: the host does not answer");
}

TEST_F(TsmRoot, refuses_a_kernel_that_answers_nonsense) {
  kernel_.report_bytes = 0;
  expect_refused(quote(), Code::kPlatform, "outblob: is empty; the kernel's log may say why");
  kernel_.report_bytes = 1184;
  for (const std::string provider :
       {"", "two words", "a\x1b[1mname", "name_that_has_more_than_31_letters"}) {
    kernel_.provider = provider;
    const auto got = quote();
    if (IsSkipped()) return;
    EXPECT_FALSE(got) << provider;
  }
}

// Whatever the kernel says to whichever call: a quote over our data or a sentence, and nothing is
// left behind.
TEST_F(TsmRoot, survives_every_error_at_every_call) {
  ASSERT_TRUE(quote_of_an_open_root() || IsSkipped());
  if (IsSkipped()) return;
  const size_t calls = kernel_.calls;
  ASSERT_GT(calls, 20u);
  size_t refused = 0;
  for (size_t failing = 1; failing <= calls; ++failing) {
    for (const int error : {EIO, EINVAL, ENXIO, EBUSY, EFBIG, EACCES, ENOENT, ENOMEM, EINTR}) {
      kernel_ = TsmKernel();
      std::string what;
      kernel_.before = [&](const std::string& call, Folder*) {
        if (kernel_.calls == failing) what = call;
        return kernel_.calls == failing ? -error : 0;
      };
      leaves_nothing_ = false;
      const auto got = quote_of_an_open_root();
      // A folder that the kernel does not remove is removed with the next quote.
      EXPECT_TRUE(kernel_.folders.empty() || what == "rmdir folder") << what;
      if (got) {
        EXPECT_EQ(load<ByteArray<64>>(Bytes(*got).subspan(sizeof(HardwareQuote) + 0x50)),
                  report_data());
        continue;
      }
      ++refused;
      EXPECT_TRUE(got.error().text.starts_with("/sys/kernel/config/tsm/report/casemate-"))
          << what << ": " << got.error().text;
    }
  }
  EXPECT_GT(refused, 100u);
}

TEST_F(TsmRoot, removes_what_a_quote_that_was_ended_has_left) {
  answered([&] {
    const auto root = open_tsm_root(TsmKernel::kFolder);
    ASSERT_TRUE(root);
    for (int i = 0; i < 3; ++i) {
      // As when its process is killed: nobody removes it.
      kernel_.before = [](const std::string& call, Folder*) {
        return call == "read outblob" || call == "rmdir folder" ? -EINTR : 0;
      };
      EXPECT_FALSE((*root)->quote(allow::assume_all_powers().vouch, report_data()));
      EXPECT_EQ(kernel_.folders.size(), 1u);
      kernel_.before = nullptr;
      EXPECT_TRUE((*root)->quote(allow::assume_all_powers().vouch, report_data()));
      EXPECT_TRUE(kernel_.folders.empty());
    }
  });
}

TEST_F(TsmRoot, has_a_folder_of_its_own_beside_those_of_others) {
  kernel_.folders["/sys/kernel/config/tsm/report/other"] = {};
  std::set<std::string> names;
  kernel_.before = [&](const std::string&, Folder*) {
    for (const auto& [path, folder] : kernel_.folders) names.insert(path);
    return 0;
  };
  leaves_nothing_ = false;
  EXPECT_TRUE(quote() || IsSkipped());
  EXPECT_TRUE(quote() || IsSkipped());
  if (IsSkipped()) return;
  EXPECT_EQ(names.size(), 3u) << "one for each root";
  EXPECT_EQ(kernel_.folders.size(), 1u);
}

}  // namespace
}  // namespace casemate::tests
