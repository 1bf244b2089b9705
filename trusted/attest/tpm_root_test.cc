// SPDX-License-Identifier: Apache-2.0
// The TPM root before a TPM that lies, breaks off, or says nothing. Quotes of a working (software)
// TPM are in tests/tpm.
#include "trusted/attest/tpm_root.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <bit>
#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

#include "wire/tpm/device.h"

namespace casemate::attest {
namespace {

using Blob = std::vector<uint8_t>;
constexpr uint32_t kCreatePrimary = 0x131, kReset = 0x13D, kQuote = 0x158, kFlush = 0x165,
                   kRead = 0x17E, kExtend = 0x182;

// As much of a TPM as the root asks for; it keeps PCR 23 and signs nothing.
class LittleTpm final {
 public:
  // The whole answer to a whole command.
  Blob answer(Bytes command) {
    const uint32_t code = *TpmReader(command.subspan(6)).u32("");
    switch (code) {
      case kCreatePrimary:
        return with_sessions(TpmWriter().sized(Blob(90, 0xAC)).sized(Blob(4)).take(), 0x80000001);
      case kReset:
        own_ = {};
        return with_sessions({});
      case kExtend:
        own_ = sha256(TpmWriter().bytes(own_).bytes(command.last(32)).view());
        return with_sessions({});
      case kQuote: {
        const auto attest = TpmWriter().bytes(Blob(80)).bytes(sha256(values(tpm::kQuotedPcrs)));
        return with_sessions(TpmWriter().sized(attest.view()).bytes(Blob(72, 0x51)).take());
      }
      case kRead:
        return read_pcrs(command);
      default:
        return plain({});
    }
  }
  static Blob plain(const Blob& body) {
    return TpmWriter()
        .u16(0x8001)
        .u32(static_cast<uint32_t>(10 + body.size()))
        .u32(0)
        .bytes(body)
        .take();
  }
  static Blob refusal(uint32_t code) { return TpmWriter().u16(0x8001).u32(10).u32(code).take(); }
  static Blob with_sessions(const Blob& parameters, std::optional<uint32_t> handle = {}) {
    TpmWriter body;
    if (handle) body.u32(*handle);
    body.u32(static_cast<uint32_t>(parameters.size())).bytes(parameters).bytes(Blob(5));
    return TpmWriter()
        .u16(0x8002)
        .u32(static_cast<uint32_t>(10 + body.view().size()))
        .u32(0)
        .bytes(body.view())
        .take();
  }
  uint32_t pcrs_at_a_time = 8;

 private:
  Blob values(uint32_t pcrs) const {
    TpmWriter out;
    for (uint32_t pcr = 0; pcr < 24; ++pcr)
      if ((pcrs >> pcr & 1) != 0) out.bytes(pcr == tpm::kOwnPcr ? own_ : Sha256Digest{});
    return out.take();
  }
  Blob read_pcrs(Bytes command) const {
    uint32_t given = 0;
    for (uint32_t i = 0; i < 24; ++i)
      if ((command[command.size() - 3 + i / 8] >> i % 8 & 1) != 0 &&
          std::popcount(given) < static_cast<int>(pcrs_at_a_time))
        given |= 1u << i;
    TpmWriter out;
    out.u32(1).u32(1).u16(tpm::kSha256).u8(3);
    for (int shift = 0; shift < 24; shift += 8) out.u8(static_cast<uint8_t>(given >> shift));
    out.u32(static_cast<uint32_t>(std::popcount(given)));
    const Blob all = values(given);
    for (size_t i = 0; i < all.size(); i += 32) out.sized(Bytes(all).subspan(i, 32));
    return plain(out.take());
  }
  Sha256Digest own_{};
};

// A place where a TPM answers, one client after the other. What `bend` returns is sent instead of
// an honest answer; nothing: the connection is closed.
class Place final {
 public:
  using Bend = std::function<std::optional<Blob>(uint32_t command, Blob honest)>;
  explicit Place(Bend bend = [](uint32_t, Blob honest) { return std::optional(honest); })
      : bend_(std::move(bend)) {
    ::signal(SIGPIPE, SIG_IGN);  // as the monitor does
    std::string folder = "/tmp/casemate-place-XXXXXX";
    CHECK(::mkdtemp(folder.data()) != nullptr, "tests need a folder");
    folder_ = folder;
    listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::ranges::copy(path(), address.sun_path);
    const void* any = &address;
    CHECK(::bind(listener_.number(), static_cast<const sockaddr*>(any), sizeof address) == 0 &&
              ::listen(listener_.number(), 8) == 0,
          "tests need a socket");
    thread_ = std::thread([this] { serve(); });
  }
  ~Place() {
    ended_ = true;
    ::shutdown(listener_.number(), SHUT_RDWR);
    if (const int client = client_.load(); client >= 0) ::shutdown(client, SHUT_RDWR);
    thread_.join();
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  [[nodiscard]] std::string path() const { return folder_ + "/tpm"; }
  LittleTpm tpm;
  // Cuts answers into pieces of so many bytes.
  std::atomic<size_t> piece = 1 << 20;

 private:
  void serve() {
    while (!ended_) {
      Fd client(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;
      client_ = client.number();
      while (!ended_ && answer_one(client.number())) {
      }
      client_ = -1;
    }
  }
  bool answer_one(int client) {
    Blob command(4096);
    const ssize_t size = ::recv(client, command.data(), command.size(), 0);
    if (size < 10) return false;
    const Bytes asked = Bytes(command).first(static_cast<size_t>(size));
    const auto bent = bend_(*TpmReader(asked.subspan(6)).u32(""), tpm.answer(asked));
    if (!bent) return false;
    for (Bytes left = *bent; !left.empty();) {
      const size_t part = std::min(left.size(), piece.load());
      if (::send(client, left.data(), part, MSG_NOSIGNAL) < 0) return false;
      left = left.subspan(part);
    }
    return true;
  }

  Bend bend_;
  std::string folder_;
  Fd listener_;
  std::atomic<int> client_ = -1;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

Result<Blob> quote_at(const Place& place) {
  const auto root = TRY(open_tpm_root({.device = place.path()}, {}));
  return root->quote(allow::assume_all_powers().vouch, {});
}

// Every command that a quote takes.
constexpr uint32_t kCommands[] = {kCreatePrimary, kReset, kExtend, kQuote, kRead};

TEST(ALyingTpm, is_told_from_one_that_does_not_lie) {
  Place place;
  const auto quote = quote_at(place);
  EXPECT_TRUE(quote) << quote.error().text;
}

TEST(ALyingTpm, may_give_its_answers_in_pieces_and_few_pcrs_at_a_time) {
  Place place;
  place.piece = 1;
  place.tpm.pcrs_at_a_time = 1;
  const auto quote = quote_at(place);
  EXPECT_TRUE(quote) << quote.error().text;
}

TEST(ALyingTpm, that_breaks_off_anywhere_in_any_answer_is_refused) {
  for (const uint32_t broken : kCommands) {
    std::atomic<size_t> at = 10;
    std::atomic<bool> whole = false;
    // With a size in the header that fits what is left: whoever believes what lies behind reads on.
    Place place([&](uint32_t command, Blob honest) {
      if (command != broken) return std::optional(honest);
      whole = at >= honest.size();
      honest.resize(std::min(at.load(), honest.size()));
      const Blob size = TpmWriter().u32(static_cast<uint32_t>(honest.size())).take();
      std::ranges::copy(size, honest.begin() + 2);
      return std::optional(honest);
    });
    size_t refused = 0;
    for (; !whole; ++at) refused += quote_at(place) ? 0 : 1;
    // Behind what is read of a new key there is more that nobody looks at.
    EXPECT_GE(refused, 4u) << broken;
  }
}

TEST(ALyingTpm, that_hangs_up_is_reported) {
  for (const uint32_t broken : kCommands) {
    Place place([&](uint32_t command, Blob honest) -> std::optional<Blob> {
      if (command == broken) return {};
      return honest;
    });
    const auto quote = quote_at(place);
    ASSERT_FALSE(quote);
    EXPECT_EQ(quote.error().code, Code::kPlatform) << quote.error().text;
  }
}

TEST(ALyingTpm, that_lies_about_a_size_or_a_tag_is_refused) {
  for (const uint32_t broken : kCommands) {
    for (const uint32_t size : {0u, 1u, 9u, 4097u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
      Place place([&](uint32_t command, Blob honest) {
        const Blob lie = TpmWriter().u32(size).take();
        if (command == broken) std::ranges::copy(lie, honest.begin() + 2);
        return std::optional(honest);
      });
      const auto quote = quote_at(place);
      ASSERT_FALSE(quote) << size;
      EXPECT_EQ(quote.error().code, Code::kInvalid) << quote.error().text;
    }
    for (const uint16_t tag : std::initializer_list<uint16_t>{0x0000, 0x00C4, 0x8003, 0xFFFF}) {
      Place place([&](uint32_t command, Blob honest) {
        const Blob lie = TpmWriter().u16(tag).take();
        if (command == broken) std::ranges::copy(lie, honest.begin());
        return std::optional(honest);
      });
      const auto quote = quote_at(place);
      ASSERT_FALSE(quote) << tag;
      EXPECT_NE(quote.error().text.find("tag"), std::string::npos) << quote.error().text;
    }
  }
}

TEST(ALyingTpm, with_any_byte_of_any_answer_changed_is_refused_or_makes_a_quote_of_no_worth) {
  for (const uint32_t broken : kCommands) {
    std::atomic<size_t> at = 10;  // headers have a test of their own
    std::atomic<size_t> size = 100;
    std::atomic<uint8_t> value = 0;
    Place place([&](uint32_t command, Blob honest) {
      if (command != broken) return std::optional(honest);
      size = honest.size();
      if (at < honest.size()) honest[at] = value;
      return std::optional(honest);
    });
    for (; at < size; ++at) {
      for (const uint8_t lie : std::initializer_list<uint8_t>{0x00, 0x7F, 0xFF}) {
        value = lie;
        const auto quote = quote_at(place);
        EXPECT_TRUE(quote || !quote.error().text.empty());
      }
    }
  }
}

TEST(ALyingTpm, that_talks_nonsense_without_end_is_refused) {
  Place place([](uint32_t, Blob) { return std::optional(Blob(1 << 20, 0x80)); });
  const auto quote = quote_at(place);
  ASSERT_FALSE(quote);
  EXPECT_EQ(quote.error().code, Code::kInvalid) << quote.error().text;
}

TEST(ALyingTpm, is_told_what_each_refusal_asks_for) {
  const std::pair<uint32_t, std::string_view> refusals[] = {
      {0x100, "tpm2_startup -c"},
      {0x101, "off and on"},
      {0x143, "no TPM 2.0"},
      {0x902, "/dev/tpmrm0"},
      {0x907, "PCR 23"},
      {0x922, "try again"},
      {0x98E, "tpm2_changeauth"},
      {0x9A2, "tpm2_changeauth"},
      {0x2E6, "P-256"},
      {0x1C4, "tpm2_rc_decode 0x1c4"},
      {0xFFFFFFFF, "tpm2_rc_decode 0xffffffff"}};
  for (const auto& [code, words] : refusals) {
    Place place(
        [&, refused = code](uint32_t, Blob) { return std::optional(LittleTpm::refusal(refused)); });
    const auto quote = quote_at(place);
    ASSERT_FALSE(quote);
    EXPECT_EQ(quote.error().code, Code::kDenied);
    EXPECT_NE(quote.error().text.find(words), std::string::npos) << quote.error().text;
  }
}

TEST(ALyingTpm, that_lies_about_its_pcrs_is_refused) {
  // Three bytes of bitmap stand at 21, the number of digests behind them.
  const auto with = [](size_t at, uint32_t lie) {
    return [at, lie](uint32_t command, Blob honest) {
      const Blob bytes = TpmWriter().u32(lie).take();
      if (command == kRead) std::ranges::copy(bytes, honest.begin() + static_cast<ptrdiff_t>(at));
      return std::optional(honest);
    };
  };
  for (const uint32_t count : {0u, 1u, 9u, 0xFFFFFFFFu}) {
    Place place(with(24, count));
    EXPECT_FALSE(quote_at(place)) << count;
  }
  Place none(with(21, 0));  // an absent bank
  const auto quote = quote_at(none);
  ASSERT_FALSE(quote);
  EXPECT_NE(quote.error().text.find("tpm2_pcrallocate"), std::string::npos) << quote.error().text;
  Place others([](uint32_t command, Blob honest) {
    if (command == kRead) honest[22] = 0x04;  // PCR 10, which nobody asked for
    return std::optional(honest);
  });
  EXPECT_FALSE(quote_at(others));
}

TEST(ALyingTpm, whose_pcrs_change_all_the_time_is_given_up) {
  std::atomic<int> quotes = 0;
  Place place([&](uint32_t command, Blob honest) {
    if (command == kQuote)
      honest[honest.size() - 72 - 5 - 1] ^= 1, ++quotes;  // the digest's last byte
    return std::optional(honest);
  });
  const auto quote = quote_at(place);
  ASSERT_FALSE(quote);
  EXPECT_EQ(quote.error().code, Code::kUnavailable) << quote.error().text;
  EXPECT_EQ(quotes, 5);
}

TEST(ALyingTpm, whose_own_pcr_was_extended_by_others_is_measured_into_anew) {
  std::atomic<int> resets = 0;
  Place* here = nullptr;
  Place place([&](uint32_t command, Blob honest) {
    if (command == kReset) ++resets;
    // Before the first quote somebody extends PCR 23.
    if (command == kQuote && resets == 1) {
      const Blob extend = TpmWriter().u16(0x8002).u32(42).u32(kExtend).bytes(Blob(32, 9)).take();
      here->tpm.answer(extend);
    }
    return std::optional(honest);
  });
  here = &place;
  const auto quote = quote_at(place);
  EXPECT_TRUE(quote) << quote.error().text;
  EXPECT_EQ(resets, 2);
}

TEST(ALyingTpm, that_says_nothing_is_not_waited_for_longer_than_asked) {
  Place place([](uint32_t, Blob) { return std::optional(Blob()); });
  auto device = TpmDevice::open(place.path());
  ASSERT_TRUE(device);
  const auto answer = device->ask(
      {.command = kRead, .name = "TPM2_PCR_Read", .patience = std::chrono::milliseconds(50)}, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kTimedOut) << answer.error().text;
  EXPECT_FALSE(device->connected()) << "what comes late would be taken for another answer";
  EXPECT_FALSE(device->ask({.command = kRead, .name = "TPM2_PCR_Read"}, {}));
}

TEST(ALyingTpm, that_gives_half_an_answer_is_not_waited_for_longer_than_asked) {
  Place place([](uint32_t, Blob honest) { return honest.resize(9), std::optional(honest); });
  auto device = TpmDevice::open(place.path());
  ASSERT_TRUE(device);
  const auto answer = device->ask(
      {.command = kFlush, .name = "TPM2_FlushContext", .patience = std::chrono::milliseconds(50)},
      {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kTimedOut) << answer.error().text;
}

TEST(ATpmThatIsNone, is_refused_with_what_to_name) {
  const auto missing = open_tpm_root({.device = "/nowhere/tpm"}, {});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().text.find("/nowhere/tpm"), std::string::npos);
  const auto folder = open_tpm_root({.device = "/tmp"}, {});
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().text.find("/dev/tpmrm0"), std::string::npos) << folder.error().text;
  const auto long_path = std::string(200, 'x');
  EXPECT_FALSE(open_tpm_root({.device = "/tmp/" + long_path}, {}));
}

}  // namespace
}  // namespace casemate::attest
