// SPDX-License-Identifier: Apache-2.0
// What every root of trust does alike. A root that is added adds a line at the end.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "outside/certify/development_pki.h"
#include "outside/verify/hardware_quote.h"
#include "tests/attest/gramine_os.h"
#include "tests/attest/tsm_kernel.h"
#include "tests/tpm/software_tpm.h"
#include "trusted/attest/root.h"
#include "trusted/attest/tpm_root.h"
#include "wire/tpm/quote.h"

namespace casemate::tests {
namespace {

using attest::RootOfTrust;
using Opened = Result<std::unique_ptr<RootOfTrust>>;

Sha384Digest platform() {
  Sha384Digest digest{};
  digest.fill(0x5A);
  return digest;
}

// A machine that has a root.
class Machine {
 public:
  virtual ~Machine() = default;
  // False where such a machine cannot be made here.
  virtual bool within(const std::function<void()>& body) = 0;
  virtual Opened open() = 0;
  // What is left on it that nobody will remove.
  virtual size_t left() = 0;
};

class SoftwareMachine final : public Machine {
 public:
  SoftwareMachine() {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    EXPECT_TRUE(certify::install_development_pki(folder_, system_random()));
  }
  ~SoftwareMachine() override { std::filesystem::remove_all(folder_); }
  bool within(const std::function<void()>& body) override {
    body();
    return true;
  }
  Opened open() override { return attest::open_software_root(folder_, platform(), false); }
  // All but the seed, the key and the certificates, which are kept.
  size_t left() override {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {})) - 3;
  }

 private:
  std::string folder_ = "/tmp/casemate-root-XXXXXX";
};

class TsmMachine final : public Machine {
 public:
  explicit TsmMachine(const std::string& provider) { kernel_.provider = provider; }
  bool within(const std::function<void()>& body) override {
    return run_answered(TsmKernel::kFolder, kernel_, body);
  }
  Opened open() override { return attest::open_tsm_root(TsmKernel::kFolder); }
  size_t left() override { return kernel_.folders.size() + kernel_.open_files.size(); }

 private:
  TsmKernel kernel_;
};

class GramineMachine final : public Machine {
 public:
  bool within(const std::function<void()>& body) override {
    return run_answered(GramineOs::kFolder, os_, body);
  }
  Opened open() override { return attest::open_gramine_root(GramineOs::kFolder); }
  size_t left() override { return os_.open_files.size(); }

 private:
  GramineOs os_;
};

class TpmMachine final : public Machine {
 public:
  bool within(const std::function<void()>& body) override {
    if (!SoftwareTpm::installed()) return false;
    auto made = SoftwareTpm::make();
    EXPECT_TRUE(made) << made.error().text;
    if (!made) return true;
    tpm_.emplace(std::move(*made));
    body();
    return true;
  }
  Opened open() override {
    return attest::open_tpm_root({.device = tpm_->socket(), .certificate_path = ""}, platform());
  }
  // What stays in a TPM's memory; the key's own place goes with its connection.
  size_t left() override {
    if (!tpm_) return 0;
    const auto handles = tpm_->tool({"tpm2_getcap", "handles-transient"});
    EXPECT_TRUE(handles) << handles.error().text;
    // "- 0x80000000" for each; other lines are the tool's own.
    size_t count = 0;
    for (size_t at = 0; handles && (at = handles->find("- 0x", at)) != std::string::npos; ++at)
      ++count;
    return count;
  }

 private:
  std::optional<SoftwareTpm> tpm_;
};

struct Kind {
  std::string name;
  RootKind kind;
  std::function<std::unique_ptr<Machine>()> make;
};

class EveryRoot : public testing::TestWithParam<Kind> {
 protected:
  // Runs on a machine that has the root.
  void on_its_machine(const std::function<void(RootOfTrust&)>& body) {
    const auto machine = GetParam().make();
    const bool ran = machine->within([&] {
      const auto root = machine->open();
      ASSERT_TRUE(root) << root.error().text;
      body(**root);
    });
    if (!ran) GTEST_SKIP() << "such a machine cannot be made here";
    EXPECT_EQ(machine->left(), 0u) << "nothing is left behind";
  }
  static std::vector<uint8_t> quote(RootOfTrust& root, uint8_t fill) {
    ByteArray<64> data{};
    data.fill(fill);
    auto quote = root.quote(allow::assume_all_powers().vouch, data);
    EXPECT_TRUE(quote) << quote.error().text;
    return quote.value_or(std::vector<uint8_t>());
  }
  static bool holds(Bytes quote, uint8_t fill) {
    return !std::ranges::search(quote, std::vector<uint8_t>(64, fill)).empty();
  }
};

TEST_P(EveryRoot, vouches_for_what_it_was_asked_each_time) {
  on_its_machine([](RootOfTrust& root) {
    for (const uint8_t fill : std::initializer_list<uint8_t>{0x11, 0xEE, 0x11}) {
      const auto got = quote(root, fill);
      EXPECT_TRUE(holds(got, fill));
      EXPECT_FALSE(holds(got, static_cast<uint8_t>(~fill))) << "nothing of the last time";
    }
  });
}

TEST_P(EveryRoot, says_in_its_quote_which_it_is) {
  on_its_machine([this](RootOfTrust& root) {
    const auto got = quote(root, 1);
    const auto hardware = verify::read_hardware_quote(got);
    if (GetParam().kind == RootKind::kTpm) {
      EXPECT_FALSE(hardware) << "it has a form of its own";
      ASSERT_GE(got.size(), sizeof(TpmQuoteHead));
      const auto head = load<TpmQuoteHead>(got);
      EXPECT_EQ(head.magic, TpmQuoteHead::kMagic);
      EXPECT_EQ(head.version, TpmQuoteHead::kVersion);
      return;
    }
    ASSERT_TRUE(hardware) << hardware.error().text;
    EXPECT_EQ(hardware->root, GetParam().kind);
  });
}

TEST_P(EveryRoot, makes_quotes_that_evidence_has_room_for) {
  on_its_machine([](RootOfTrust& root) {
    const auto got = quote(root, 1);
    EXPECT_GT(got.size(), 64u);
    EXPECT_LE(got.size(), kQuoteBytes);
  });
}

TEST_P(EveryRoot, leaves_nothing_behind_however_often_it_is_asked) {
  on_its_machine([](RootOfTrust& root) {
    for (int i = 0; i < 20; ++i) quote(root, 1);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Of, EveryRoot,
    testing::Values(
        Kind{"software", RootKind::kSoftware, [] { return std::make_unique<SoftwareMachine>(); }},
        Kind{"sev_snp", RootKind::kTsm, [] { return std::make_unique<TsmMachine>("sev_guest"); }},
        Kind{"tdx", RootKind::kTsm, [] { return std::make_unique<TsmMachine>("tdx_guest"); }},
        Kind{"cca", RootKind::kTsm, [] { return std::make_unique<TsmMachine>("arm_cca_guest"); }},
        Kind{"tpm", RootKind::kTpm, [] { return std::make_unique<TpmMachine>(); }},
        Kind{"gramine", RootKind::kGramine, [] { return std::make_unique<GramineMachine>(); }}),
    [](const auto& kind) { return kind.param.name; });

// Of the machine that this runs on, whichever it is.
TEST(Roots, that_this_machine_lacks_are_refused_with_what_to_do) {
  for (const auto& root :
       {attest::open_tsm_root("/nonexistent"), attest::open_gramine_root("/nonexistent")}) {
    ASSERT_FALSE(root);
    EXPECT_EQ(root.error().code, Code::kNotFound);
    EXPECT_TRUE(root.error().text.ends_with("start with another --root")) << root.error().text;
  }
}

}  // namespace
}  // namespace casemate::tests
