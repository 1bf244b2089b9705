// SPDX-License-Identifier: Apache-2.0
// What the owner does to his key store, in a process that is killed before any one of its system
// calls that change files, or on a disk that fails it at any one of them: it is done or it is not,
// no key is lost, and doing it again works.
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>

#include "base/format.h"
#include "outside/keys/store.h"
#include "tests/sealed/small_model.h"
#include "tests/sealed/stepped.h"

namespace casemate::tests {
namespace {

// What is in a store, of which every key opens and whose log is whole.
struct Kept {
  std::vector<std::string> policies;  // by package
  uint32_t floor = 0;
};

class KeptKeys : public testing::Test {
 protected:
  using Change = std::function<Status(keys::Store&)>;
  // Whether what was to be done is; none: neither that nor what was before.
  using Judge = std::function<std::optional<bool>(const Kept&)>;

  // Version 2 was sealed twice, and 1 is not opened any more.
  static constexpr uint32_t kVersions[] = {1, 2, 2, 3};

  void SetUp() override {
    NEEDS_STEPS();
    std::filesystem::create_directory(before_);
    std::filesystem::permissions(before_, std::filesystem::perms::owner_all);
    auto store = open(before_, true);
    ASSERT_TRUE(store) << store.error().text;
    for (uint8_t id = 0; id < std::size(kVersions); ++id) {
      keys::Record record{.name = "small", .version = kVersions[id], .policy = "{}"};
      record.package.fill(id);
      ASSERT_TRUE(store->add(record, key(id), true));
    }
    ASSERT_TRUE(store->raise_floor("small", 2));
    ASSERT_TRUE(store->write_audit({.name = "small", .line = "why"}, key(0)));
  }
  static SecretKey key(uint8_t id) {
    SecretKey key;
    key.fill(static_cast<uint8_t>(id + 100));
    return key;
  }
  static Result<keys::Store> open(const std::string& at, bool make = false) {
    return keys::Store::open(at + "/keys", system_clock(), system_random(), make);
  }
  static bool does(const std::string& at, const Change& change) {
    auto store = open(at);
    if (!store) return false;
    const Status done = change(*store);
    if (!done) std::ofstream(at + "/said") << done.error().text;
    return done.has_value();
  }
  static Kept look(const std::string& at) {
    Kept kept;
    auto store = open(at);
    EXPECT_TRUE(store) << store.error().text;
    if (!store) return kept;
    for (uint8_t id = 0; id < std::size(kVersions); ++id) {
      sealed::PackageId package;
      package.fill(id);
      const auto record = store->find(package);
      EXPECT_TRUE(record) << record.error().text;
      if (!record) return kept;
      const auto opened = store->key_of(*record);
      EXPECT_TRUE(opened && *opened == key(id)) << int{id};
      kept.policies.push_back(record->policy);
    }
    const Status log = store->check_audit();
    EXPECT_TRUE(log) << log.error().text;
    kept.floor = store->floor("small").value_or(0);
    return kept;
  }
  // The same files elsewhere.
  std::string copy() {
    const std::string at = folder_.path("copy");
    std::filesystem::remove_all(at);
    std::filesystem::copy(before_, at, std::filesystem::copy_options::recursive);
    return at;
  }
  static void expect_again(const std::string& at, const Change& change, const Judge& judge) {
    EXPECT_TRUE(does(at, change)) << "doing it again is refused";
    EXPECT_EQ(judge(look(at)), std::optional(true)) << "doing it again does it not";
  }
  void expect_whole_when_killed(const Change& change, const Judge& judge) {
    uint64_t steps = 0;
    for (End end = End::kKilled; end != End::kDone;) {
      const std::string at = copy();
      end = run_killed(++steps, [&] { return does(at, change); });
      ASSERT_TRUE(end == End::kKilled || end == End::kDone) << steps;
      const auto done = judge(look(at));
      EXPECT_TRUE(done) << "half of it was done, killed before call " << steps;
      EXPECT_TRUE(end == End::kKilled || done == std::optional(true)) << "it said that it was done";
      expect_again(at, change, judge);
    }
    EXPECT_GT(steps, 8u);  // it was stepped at all
  }
  void expect_whole_on_a_failing_disk(int error, const Change& change, const Judge& judge) {
    uint64_t failed = 0;
    for (uint64_t step = 1;; ++step) {
      const std::string at = copy();
      const Stepped ended = run_failing(step, error, [&] { return does(at, change); });
      if (ended.call.empty()) break;
      ASSERT_TRUE(ended.end == End::kDone || ended.end == End::kFailed) << ended.call;
      const auto done = judge(look(at));
      EXPECT_TRUE(done) << "half of it was done where this failed: " << ended.call;
      if (ended.end == End::kDone) {
        EXPECT_EQ(done, std::optional(true)) << ended.call;
        EXPECT_FALSE(ended.call.starts_with("sync keys")) << "it was not waited for";
      } else {
        ++failed;
        expect_sentence(at, error, ended.call);
      }
      expect_again(at, change, judge);
    }
    EXPECT_GT(failed, 5u) << "a disk that fails is not noticed";
  }
  static void expect_sentence(const std::string& at, int error, const std::string& call) {
    std::ifstream file(at + "/said");
    const std::string said{std::istreambuf_iterator<char>(file), {}};
    EXPECT_TRUE(said.contains("key store " + at)) << call << ": " << said;
    if (error != ENOSPC || !call.starts_with("change keys")) return;
    EXPECT_TRUE(said.contains("make room on its disk")) << call << ": " << said;
  }
  void expect_whole(const Change& change, const Judge& judge) {
    expect_whole_when_killed(change, judge);
    for (const int error : {ENOSPC, EIO}) expect_whole_on_a_failing_disk(error, change, judge);
  }

  Folder folder_{std::filesystem::canonical(quick_folder()).string()};
  std::string before_ = folder_.path("before");
};

TEST_F(KeptKeys, have_the_old_policy_or_the_new_one_in_every_package_of_a_version) {
  const std::string other = R"({"allow_software_root": true})";
  const std::vector<std::string> old(4, "{}");
  const std::vector<std::string> exchanged = {"{}", other, other, "{}"};
  expect_whole([&](keys::Store& store) { return store.set_policy("small", 2, other); },
               [&](const Kept& kept) -> std::optional<bool> {
                 if (kept.floor != 2) return std::nullopt;
                 if (kept.policies == old) return false;
                 return kept.policies == exchanged ? std::optional(true) : std::nullopt;
               });
}

TEST_F(KeptKeys, are_closed_or_are_not_and_those_that_were_stay_closed) {
  expect_whole(
      [](keys::Store& store) -> Status {
        TRY(store.close_below("small", 3));
        return {};
      },
      [](const Kept& kept) -> std::optional<bool> {
        if (kept.policies != std::vector<std::string>(4, "{}")) return std::nullopt;
        return kept.floor == 2 || kept.floor == 3 ? std::optional(kept.floor == 3) : std::nullopt;
      });
}

}  // namespace
}  // namespace casemate::tests
