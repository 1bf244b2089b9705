// SPDX-License-Identifier: Apache-2.0
// Sealing in a process that is killed before any one of its system calls that change files, or on a
// disk that fails it at any one of them: nothing is lost, and nothing that is half there opens.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "isolated/sealed/unsealer.h"
#include "outside/launch/repository.h"
#include "tests/sealed/small_model.h"
#include "tests/sealed/stepped.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

std::vector<uint8_t> bytes_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class KilledWhileSealing : public testing::Test {
 protected:
  void SetUp() override {
    NEEDS_STEPS();
    std::ofstream(folder_.path("model.onnx")) << small_model();
  }

  // A folder with a store and a repository in it.
  static std::string repository(const std::string& at) { return at + "/models"; }
  static std::string place(const std::string& at) {
    return repository(at) + "/small/1/model.sealed";
  }
  static Result<keys::Store> store(const std::string& at, bool make = false) {
    return keys::Store::open(at + "/keys", system_clock(), system_random(), make);
  }
  // Seals the model as that version.
  static Result<seal::Done> seal_in(const std::string& at, uint32_t version) {
    seal::Order order = small_order();
    order.version = version;
    keys::Store opened = TRY(store(at, true));
    return seal::seal_model(at + "/../model.onnx", place(at), order, opened, system_clock(),
                            system_random());
  }
  // Whether that file opens with a key of the store there, to the model that was sealed.
  static Status unseals(const std::string& at, const std::string& package) {
    const auto file = bytes_in(package);
    const auto unsealer = TRY(sealed::Unsealer::make(file));
    keys::Store opened = TRY(store(at));
    const auto record = TRY(opened.find(unsealer.package().header.package));
    const Mapping plain = TRY(unsealer.open_with(TRY(opened.key_of(record))));
    return text_of(plain.bytes()) == small_model() ? Status()
                                                   : Status(Error{Code::kInvalid, "not it"});
  }
  // Whether what is in place does, and may: its model is served.
  static Status serves(const std::string& at) {
    TRY(unseals(at, place(at)));
    keys::Store opened = TRY(store(at));
    const auto file = bytes_in(place(at));
    const auto unsealer = TRY(sealed::Unsealer::make(file));
    TRY(opened.check_floor("small", unsealer.package().header.version));
    const auto found = TRY(launch::scan_repository(repository(at)));
    return found.models.at(0).files == std::vector<std::string>{"model.sealed"}
               ? Status()
               : Status(Error{Code::kInvalid, "other files are served"});
  }
  // What grows beside the place is no package, or a whole one, which opens once its key is kept.
  // True for one that does.
  static bool check_growing(const std::string& at, const fs::path& file) {
    const auto bytes = bytes_in(file);
    const auto unsealer = sealed::Unsealer::make(bytes);
    auto opened = store(at);
    if (!unsealer || !opened || !opened->find(unsealer->package().header.package)) return false;
    const Status whole = unseals(at, file);
    EXPECT_TRUE(whole) << whole.error().text;
    return whole.has_value();
  }
  // The files that a killed process left growing; how many of them are packages with a key.
  static std::pair<int, int> growing(const std::string& at) {
    std::pair<int, int> counted;
    for (const auto& entry : fs::recursive_directory_iterator(at)) {
      if (file_named(entry.path()) != "growing") continue;
      ++counted.first;
      counted.second += check_growing(at, entry.path()) ? 1 : 0;
    }
    return counted;
  }
  // Beside the repository lie the store, its key, and a journal of what was not committed.
  static void expect_no_other_files(const std::string& at, uint64_t step) {
    for (const auto& entry : fs::directory_iterator(at)) {
      const std::string name = entry.path().filename().string();
      EXPECT_TRUE(name == "models" || name == "keys" || name == "keys.key" ||
                  name == "keys-journal")
          << step << " " << name;
    }
  }
  std::string fresh(const std::string& name) {
    const std::string at = folder_.path(name);
    fs::remove_all(at);
    fs::create_directories(repository(at) + "/small/1");
    fs::permissions(at, fs::perms::owner_all);
    return at;
  }
  // The same files elsewhere.
  std::string copy(const std::string& of, const std::string& name) {
    const std::string at = folder_.path(name);
    fs::remove_all(at);
    fs::copy(of, at, fs::copy_options::recursive);
    return at;
  }

  Folder folder_{quick_folder()};
};

TEST_F(KilledWhileSealing, for_the_first_time_leaves_nothing_or_a_model_that_opens) {
  uint64_t steps = 0;
  for (End end = End::kKilled; end != End::kDone;) {
    const std::string at = fresh("first");
    end = run_killed(++steps, [&] { return seal_in(at, 1).has_value(); });
    ASSERT_TRUE(end == End::kKilled || end == End::kDone) << steps;
    if (fs::exists(place(at))) {
      const Status served = serves(at);
      EXPECT_TRUE(served) << steps << ": " << served.error().text;
    }
    expect_no_other_files(at, steps);
    const auto again = seal_in(at, 1);
    ASSERT_TRUE(again) << steps << ": " << again.error().text;
    const Status served = serves(at);
    EXPECT_TRUE(served) << steps << ": " << served.error().text;
    EXPECT_EQ(growing(at).first, 0) << steps << ": it was not removed";
  }
  EXPECT_GT(steps, 20u);  // it was stepped at all
}

TEST_F(KilledWhileSealing, a_newer_version_leaves_the_old_or_the_new_one_and_every_key) {
  const std::string before = fresh("before");
  ASSERT_TRUE(seal_in(before, 1));
  uint64_t steps = 0;
  std::pair<int, int> left;
  for (End end = End::kKilled; end != End::kDone;) {
    const std::string at = copy(before, "newer");
    end = run_killed(++steps, [&] { return seal_in(at, 2).has_value(); });
    ASSERT_TRUE(end == End::kKilled || end == End::kDone) << steps;
    const Status served = serves(at);
    EXPECT_TRUE(served) << steps << ": " << served.error().text;
    const Status kept = unseals(at, place(before));
    EXPECT_TRUE(kept) << steps << ": " << kept.error().text;
    const auto [files, packages] = growing(at);
    left.first += files;
    left.second += packages;
    expect_no_other_files(at, steps);
  }
  EXPECT_GT(steps, 15u);
  EXPECT_GT(left.first, left.second) << "no half was ever left, or each was found whole";
  EXPECT_GT(left.second, 0) << "it was never killed between the key and the place";
}

// A power cut can come between any two calls, too, and keeps what was waited for.
TEST_F(KilledWhileSealing, waits_for_the_disk_with_package_key_and_place_each_before_the_next) {
  const std::string at = fresh("traced");
  ASSERT_TRUE(seal_in(at, 1));
  std::vector<std::string> calls;
  ASSERT_EQ(run_killed(UINT64_MAX, [&] { return seal_in(at, 2).has_value(); }, &calls), End::kDone);
  std::string all;
  for (const std::string& call : calls) all += call + "\n";
  const auto after = [&](size_t from, const std::string& call) {
    const auto found =
        std::find(calls.begin() + static_cast<std::ptrdiff_t>(from), calls.end(), call);
    EXPECT_NE(found, calls.end()) << call << " is missing behind call " << from << " of\n" << all;
    return static_cast<size_t>(std::min(found - calls.begin(), std::ssize(calls) - 1));
  };
  // A journal that is gone is a commit.
  const size_t made = after(0, "make growing");
  const size_t package = after(made, "sync growing");
  EXPECT_EQ(std::count(calls.begin() + static_cast<std::ptrdiff_t>(package), calls.end(),
                       "change growing"),
            0)
      << all;
  const size_t key = after(package, "unlink keys-journal");
  EXPECT_LT(after(0, "sync keys"), key);
  EXPECT_EQ(after(0, "unlink keys-journal"), key) << "the key was kept before its package\n" << all;
  const size_t kept = after(key, "sync traced");
  const size_t renamed = after(kept, "rename model.sealed");
  EXPECT_EQ(after(0, "rename model.sealed"), renamed) << all;
  const size_t placed = after(renamed, "sync 1");
  EXPECT_EQ(placed, renamed + 1) << all;
  // Earlier versions are closed last.
  EXPECT_EQ(after(key + 1, "unlink keys-journal"), after(placed, "unlink keys-journal")) << all;
}

// Done is what is on the disk: where it is not, sealing has failed, and what was served still is.
TEST_F(KilledWhileSealing, on_a_disk_that_fails_once_fails_or_leaves_the_newer_version_in_place) {
  const std::string before = fresh("before");
  ASSERT_TRUE(seal_in(before, 1));
  for (const int error : {ENOSPC, EIO}) {
    uint64_t failed = 0;
    for (uint64_t step = 1;; ++step) {
      const std::string at = copy(before, "newer");
      const Stepped ended = run_failing(step, error, [&] { return seal_in(at, 2).has_value(); });
      if (ended.call.empty()) break;
      ASSERT_TRUE(ended.end == End::kDone || ended.end == End::kFailed) << ended.call;
      const Status served = serves(at);
      EXPECT_TRUE(served) << step << " " << ended.call << ": " << served.error().text;
      const bool waits = ended.call.starts_with("sync growing") || ended.call == "sync 1";
      EXPECT_FALSE(waits && ended.end == End::kDone) << "it was not waited for: " << ended.call;
      failed += ended.end == End::kFailed ? 1 : 0;
      const auto again = seal_in(at, 3);
      EXPECT_TRUE(again) << step << " " << ended.call << ": " << again.error().text;
    }
    EXPECT_GT(failed, 10u) << "a disk that fails is not noticed";
  }
}

}  // namespace
}  // namespace casemate::tests
