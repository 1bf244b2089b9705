// SPDX-License-Identifier: Apache-2.0
// What is kept of verdicts.
#include "outside/proxy/record.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "outside/client/testing/pictures.h"
#include "outside/proxy/testing/trial.h"

namespace casemate::proxy {
namespace {

using Looked = std::expected<verify::Verdict, Refusal>;

// No file may grow beyond so many bytes.
class FullDisk final {
 public:
  explicit FullDisk(uint64_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    static_cast<void>(std::signal(SIGXFSZ, signal_));
  }
  FullDisk(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*signal_)(int);
};

class KeptRecord : public ::testing::Test {
 protected:
  Result<Record> open() { return Record::open(path_, "models.example:8443", clock_); }
  // One object for each line that is one.
  [[nodiscard]] std::vector<nlohmann::json> lines(size_t* torn = nullptr) const {
    std::ifstream file(path_);
    std::vector<nlohmann::json> found;
    for (std::string line; std::getline(file, line);) {
      auto json = nlohmann::json::parse(line, nullptr, false);
      if (!json.is_discarded()) {
        found.push_back(std::move(json));
      } else if (torn != nullptr) {
        ++*torn;
      }
    }
    return found;
  }

  client::testing::TestFolder folder_;
  std::string path_ = folder_.path("verdicts");
  testing::MovedClock clock_;
};

TEST_F(KeptRecord, says_when_whom_by_which_policy_and_why_not) {
  client::testing::TestServer server;
  GateOptions options = testing::gate_options(server.url(), clock_);
  auto record = open();
  ASSERT_TRUE(record) << record.error().text;
  options.record = [&](const Looked& looked, const verify::Policy& policy) {
    return record->append(looked, policy);
  };
  Gate gate(options, [](const Looked&) {});
  ASSERT_TRUE(gate.open(client::Protocol::kHttp1));
  testing::turn_bad(server);
  ASSERT_FALSE(gate.open(client::Protocol::kHttp1));
  const auto kept = lines();
  ASSERT_EQ(kept.size(), 2u);
  const std::string policy = verify::policy_text(options.policy);
  for (const auto& line : kept) {
    EXPECT_EQ(line["server"], "models.example:8443");
    EXPECT_EQ(line["policy_sha256"], to_hex(sha256(bytes_of(std::string_view(policy)))));
    EXPECT_EQ(line["root"]["key"], to_hex(sha384(server.signer.root.public_der())));
    EXPECT_TRUE(std::string(line["time"]).ends_with("Z")) << line["time"];
  }
  EXPECT_EQ(kept[0]["accepted"], true);
  EXPECT_EQ(kept[0]["status"], "verified-development");
  EXPECT_EQ(kept[0]["enclaves"][0]["key"], to_hex(server.signer.tokens[0].key_hash));
  EXPECT_EQ(kept[1]["accepted"], false);
  EXPECT_TRUE(std::string(kept[1]["reason"]).contains("token.debug")) << kept[1]["reason"];
}

TEST_F(KeptRecord, grows_and_is_its_users_alone) {
  const Looked refused = std::unexpected(Refusal{{Code::kDenied, "no"}, std::nullopt});
  for (int i = 1; i <= 2; ++i) {
    auto record = open();
    ASSERT_TRUE(record) << record.error().text;
    ASSERT_TRUE(record->append(refused, {}));
    EXPECT_EQ(lines().size(), static_cast<size_t>(i)) << "what was there is gone";
  }
  EXPECT_EQ(std::filesystem::status(path_).permissions() & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::permissions(path_, std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  EXPECT_EQ(open().error().code, Code::kDenied);
  std::filesystem::remove(path_);
  std::filesystem::create_symlink(folder_.path("elsewhere"), path_);
  EXPECT_FALSE(open()) << "it goes where somebody else says";
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(open());
}

class StillClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return at; }
  [[nodiscard]] int64_t unix_seconds() const override { return verify::testing::kNow; }
  Instant at{};
};

TEST_F(KeptRecord, of_a_flood_of_refusals_has_a_few_and_how_many_more_there_were) {
  StillClock still;
  auto record = Record::open(path_, "models.example:8443", still);
  ASSERT_TRUE(record) << record.error().text;
  const Looked refused = std::unexpected(Refusal{{Code::kDenied, "no"}, std::nullopt});
  for (int i = 0; i < Record::kRefusals + 36; ++i) ASSERT_TRUE(record->append(refused, {}));
  EXPECT_EQ(lines().size(), static_cast<size_t>(Record::kRefusals));
  // What lets somebody through is never left out.
  client::testing::TestServer server;
  GateOptions options = testing::gate_options(server.url(), clock_);
  options.record = [&](const Looked& looked, const verify::Policy& policy) {
    return record->append(looked, policy);
  };
  ASSERT_TRUE(Gate(options, [](const Looked&) {}).open(client::Protocol::kHttp1));
  auto kept = lines();
  ASSERT_EQ(kept.size(), static_cast<size_t>(Record::kRefusals) + 1);
  EXPECT_EQ(kept.back()["accepted"], true);
  EXPECT_EQ(kept.back()["refusals_left_out"], 36);
  still.at += std::chrono::seconds(10);
  ASSERT_TRUE(record->append(refused, {}));
  kept = lines();
  EXPECT_EQ(kept.size(), static_cast<size_t>(Record::kRefusals) + 2);
  EXPECT_FALSE(kept.back().contains("refusals_left_out"));
}

TEST_F(KeptRecord, has_a_line_of_a_server_that_cannot_be_reached) {
  GateOptions options = testing::gate_options("https://127.0.0.1:9", clock_);
  auto record = open();
  ASSERT_TRUE(record) << record.error().text;
  options.record = [&](const Looked& looked, const verify::Policy& policy) {
    return record->append(looked, policy);
  };
  const auto opened = Gate(options, [](const Looked&) {}).open(client::Protocol::kHttp1);
  ASSERT_FALSE(opened);
  const auto kept = lines();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0]["accepted"], false);
  EXPECT_EQ(kept[0]["reason"], opened.error().error.text);
}

TEST_F(KeptRecord, that_cannot_be_written_lets_nobody_new_through_and_goes_on_in_a_new_line) {
  client::testing::TestServer server;
  GateOptions options = testing::gate_options(server.url(), clock_);
  auto record = open();
  ASSERT_TRUE(record) << record.error().text;
  options.record = [&](const Looked& looked, const verify::Policy& policy) {
    return record->append(looked, policy);
  };
  int passed = 0;
  Gate gate(options, [&](const Looked& looked) { passed += looked ? 1 : 0; });
  {
    const FullDisk full(10);
    const auto opened = gate.open(client::Protocol::kHttp1);
    ASSERT_FALSE(opened) << "nobody will know of it";
    EXPECT_TRUE(opened.error().error.text.contains(path_)) << opened.error().error.text;
    EXPECT_TRUE(opened.error().error.text.contains("make room")) << opened.error().error.text;
  }
  EXPECT_EQ(passed, 0) << "who reads the output takes it for verified";
  EXPECT_TRUE(gate.open(client::Protocol::kHttp1));
  size_t torn = 0;
  EXPECT_EQ(lines(&torn).size(), 1u);
  EXPECT_EQ(torn, 1u) << "the test wrote no half";
  // The same of what a process left that was killed.
  std::ofstream(path_, std::ios::app) << "{\"ti";
  auto later = open();
  ASSERT_TRUE(later) << later.error().text;
  ASSERT_TRUE(later->append(std::unexpected(Refusal{{Code::kDenied, "no"}, std::nullopt}), {}));
  EXPECT_EQ(lines().size(), 2u);
}

}  // namespace
}  // namespace casemate::proxy
