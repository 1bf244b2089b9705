// SPDX-License-Identifier: Apache-2.0
// Wrong system files, one mistake in each. wrong/NAME.toml says in its second line how the refusal
// must read behind the file's path; "{file}" stands for the path, wherever it comes again, and
// a "*" at the end for the words of the TOML library.
#include "outside/launch/system_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "outside/launch/describe.h"
#include "tests/manifest/scratch.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using launch::SystemFile;

const std::string kSource = SOURCE_FOLDER;

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kSource + "/" + folder)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& file) {
  std::string name = file.param;
  std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

std::string expectation_of(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  std::getline(in, line);
  constexpr std::string_view kMark = "# expect: ";
  if (!line.starts_with(kMark)) return "";
  std::string expected = path + ":" + line.substr(kMark.size());
  for (size_t at = 0; (at = expected.find("{file}", at)) != std::string::npos;)
    expected.replace(at, 6, path);
  return expected;
}

class WrongSystemFile : public testing::TestWithParam<std::string> {};

TEST_P(WrongSystemFile, is_refused_with_its_sentence) {
  const std::string path = kSource + "/tests/manifest/wrong/" + GetParam() + ".toml";
  const std::string expected = expectation_of(path);
  ASSERT_NE(expected, "") << "the second line must be '# expect: LINE: SENTENCE'";
  const auto refused = [&]() -> Status {
    const SystemFile file = TRY(SystemFile::load(path));
    const Scratch scratch;
    TRY(launch::describe(file, models_named({"digits", "letters"}), scratch.programs()));
    return {};
  }();
  ASSERT_FALSE(refused) << "nothing refuses this file";
  if (expected.ends_with('*')) {
    const std::string ours = expected.substr(0, expected.size() - 1);
    EXPECT_TRUE(refused.error().text.starts_with(ours)) << refused.error().text;
    EXPECT_GT(refused.error().text.size(), ours.size()) << "the library said why";
  } else {
    EXPECT_EQ(refused.error().text, expected);
  }
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_TRUE(sentence(refused.error().text));
}

INSTANTIATE_TEST_SUITE_P(Files, WrongSystemFile,
                         testing::ValuesIn(files_in("tests/manifest/wrong")), test_name);

class SystemFileOfOurs : public testing::TestWithParam<std::string> {};

TEST_P(SystemFileOfOurs, is_accepted_up_to_the_monitors_check) {
  const auto file = SystemFile::load(kSource + "/systems/" + GetParam() + ".toml");
  ASSERT_TRUE(file) << file.error().text;
  const auto models = launch::scan_repository(kSource + "/" + file->repository);
  ASSERT_TRUE(models) << models.error().text;
  const Scratch scratch;
  const auto description = launch::describe(*file, models->models, scratch.programs());
  ASSERT_TRUE(description) << description.error().text;
  const Status sound = check_description(**description);
  EXPECT_TRUE(sound) << refusal(sound);
}

// One needs a model that is not in the repository: tests/divided serves it.
std::vector<std::string> files_of_ours() {
  std::vector<std::string> names = files_in("systems");
  std::erase(names, "accelerator");
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, SystemFileOfOurs, testing::ValuesIn(files_of_ours()), test_name);

TEST(SystemFile, that_is_empty_has_the_defaults) {
  const auto file = SystemFile::parse("", "empty.toml");
  ASSERT_TRUE(file) << file.error().text;
  EXPECT_EQ(file->repository, "models");
  EXPECT_EQ(file->gateway.listen, "127.0.0.1:8443");
  EXPECT_TRUE(file->partitions.empty());
}

TEST(SystemFile, with_every_key_sets_every_value) {
  const auto file = SystemFile::parse(R"(
repository = "r"
[[partition]]
name = "p"
models = ["m", "n"]
device = "cpu:0"
cores = [1, 63]
cpu_percent = 6400
memory_mib = 64
threads = 256
request_mib = 256
calls_in_flight = 64
standby = false
debug = true
restart.backoff_ms_first = 1
restart.backoff_ms_max = 2
restart.failures_max = 3
restart.stable_ms = 4
restart.hang_ms = 100
restart.load_ms = 101
[[partition]]
name = "q"
models = ["o"]
[defaults]
memory_mib = 77
restart.hang_ms = 777
[gateway]
listen = "[::1]:0"
memory_mib = 1048576
connections_max = 1
request_mib = 2
idle_timeout_s = 3
classical_key_exchange = true
)",
                                      "full.toml");
  ASSERT_TRUE(file) << file.error().text;
  EXPECT_EQ(file->repository, "r");
  EXPECT_EQ(file->gateway.listen, "[::1]:0");
  EXPECT_EQ(file->gateway.memory_mib, 1048576u);
  EXPECT_EQ(file->gateway.connections_max, 1u);
  EXPECT_EQ(file->gateway.request_mib, 2u);
  EXPECT_EQ(file->gateway.idle_timeout_s, 3u);
  EXPECT_TRUE(file->gateway.standby && file->gateway.classical_key_exchange);
  ASSERT_EQ(file->partitions.size(), 2u);
  const auto& p = file->partitions[0];
  EXPECT_EQ(p.name, "p");
  EXPECT_EQ(p.models, (std::vector<std::string>{"m", "n"}));
  EXPECT_EQ(p.cores, (std::vector<uint32_t>{1, 63}));
  EXPECT_EQ((std::vector<uint32_t>{p.cpu_percent, p.memory_mib, p.threads, p.request_mib,
                                   p.calls_in_flight}),
            (std::vector<uint32_t>{6400, 64, 256, 256, 64}));
  EXPECT_TRUE(p.debug && !p.standby);
  EXPECT_EQ((std::vector<uint32_t>{p.restart.backoff_ms_first, p.restart.backoff_ms_max,
                                   p.restart.failures_max, p.restart.stable_ms, p.restart.hang_ms,
                                   p.restart.load_ms}),
            (std::vector<uint32_t>{1, 2, 3, 4, 100, 101}));
  EXPECT_EQ(p.place, "full.toml:3");
  EXPECT_EQ(file->partitions[1].memory_mib, 77u) << "from the defaults, which stand behind it";
  EXPECT_EQ(file->partitions[1].restart.hang_ms, 777u);
}

TEST(SystemFile, with_shapes_of_a_model_has_them_by_the_names_of_their_extents) {
  const auto file = SystemFile::parse(
      "[model.m]\nshare = 100\n"
      "shapes = [{ batch = 8, \"past + 1\" = 0 }, { batch = 1048576 }]\n[model.n]\n",
      "f.toml");
  ASSERT_TRUE(file) << file.error().text;
  ASSERT_EQ(file->models.size(), 2u);
  EXPECT_EQ(file->models[0].name, "m");
  EXPECT_EQ(file->models[0].place, "f.toml:1");
  EXPECT_EQ(file->models[0].shapes, (std::vector<launch::ModelSettings::Shape>{
                                        {{"batch", 8}, {"past + 1", 0}}, {{"batch", 1048576}}}));
  EXPECT_EQ(file->models[0].share, 100u);
  EXPECT_TRUE(file->models[1].shapes.empty());
  EXPECT_EQ(file->models[1].share, 0u);
}

TEST(SystemFile, that_is_not_there_is_refused) {
  const auto file = SystemFile::load("/tmp/no/such.toml");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().text, "/tmp/no/such.toml: cannot be read; --config names a system file");
  EXPECT_EQ(file.error().code, Code::kNotFound);
}

TEST(SystemFile, that_is_a_folder_is_refused) {
  const Scratch scratch;
  EXPECT_EQ(refusal(SystemFile::load(scratch.folder())),
            scratch.folder() + ": cannot be read; --config names a system file");
}

TEST(SystemFile, that_never_ends_is_refused) {
  const auto file = SystemFile::load("/dev/zero");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().text, "/dev/zero: is above 1024 KiB; --config names a system file");
  EXPECT_EQ(file.error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace casemate::tests
