// SPDX-License-Identifier: Apache-2.0
// Repositories as Triton users have them: which models are found, and what the operator is told.
#include "outside/launch/repository.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "outside/launch/model_config.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

class Folder final {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "casemate-test-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr, "tests need a folder to write to");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  // Writes a file, and the folders that it lies in.
  void write(const std::string& name, std::string_view text = "x") const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name)) << text;
  }
  [[nodiscard]] std::string path(const std::string& name = "") const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The names of the settings, separated by spaces, or the refusal.
std::string settings(std::string_view text) {
  const auto found = settings_in(text);
  if (!found) return found.error().text;
  std::string names;
  for (const std::string& name : *found) names += (names.empty() ? "" : " ") + name;
  return names;
}

TEST(Repository, serves_the_highest_version_of_every_model) {
  const Folder folder;
  for (const char* file :
       {"b/1/model.onnx", "b/12/model.onnx", "b/02/model.onnx", "b/x/model.onnx", "a/3/model.onnx",
        "a/3/weights.bin", "pictures/one.png", ".git/1/model.onnx"})
    folder.write(file);
  const auto found = scan_repository(folder.path());
  ASSERT_TRUE(found) << found.error().text;
  ASSERT_EQ(found->models.size(), 2u);
  EXPECT_EQ(found->models[0].name, "a");
  EXPECT_EQ(found->models[0].files, (std::vector<std::string>{"model.onnx", "weights.bin"}));
  EXPECT_EQ(found->models[1].version, 12u);
  EXPECT_TRUE(found->warnings.empty()) << found->warnings[0];
}

TEST(Repository, serves_a_model_beside_its_configuration_and_names_what_it_does_not_follow) {
  const Folder folder;
  folder.write("m/1/model.onnx");
  folder.write("m/config.pbtxt",
               "name: \"m\"\nbackend: 'onnxruntime'\nmax_batch_size: 8\n"
               "instance_group [ { kind: KIND_CPU count: 2 } ]\ninput [ { name: \"x\" } ]\n"
               "dynamic_batching { }\n");
  const auto found = scan_repository(folder.path());
  ASSERT_TRUE(found) << found.error().text;
  ASSERT_EQ(found->models.size(), 1u);
  EXPECT_EQ(found->models[0].files, (std::vector<std::string>{"model.onnx"}));
  ASSERT_EQ(found->warnings.size(), 1u);
  EXPECT_TRUE(found->warnings[0].contains(
      "m/config.pbtxt: not followed: max_batch_size, instance_group, input, dynamic_batching;"))
      << found->warnings[0];
}

TEST(Repository, serves_a_sealed_model_alone) {
  const Folder folder;
  folder.write("m/1/model.sealed");
  folder.write("n/1/model.onnx");
  const auto found = scan_repository(folder.path());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_TRUE(found->models[0].sealed());
  EXPECT_FALSE(found->models[1].sealed());
  folder.write("m/1/model.onnx");
  const auto both = scan_repository(folder.path());
  ASSERT_FALSE(both);
  EXPECT_TRUE(both.error().text.contains("a sealed model is served alone")) << both.error().text;
}

TEST(Repository, passes_over_what_a_killed_process_has_left_half_written) {
  const Folder folder;
  folder.write("m/1/model.sealed");
  folder.write("m/1/.casemate-12-345");
  folder.write("n/1/model.onnx");
  folder.write("n/1/.casemate-12-345");
  const auto found = scan_repository(folder.path());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->models[0].files, (std::vector<std::string>{"model.sealed"}));
  EXPECT_EQ(found->models[1].files, (std::vector<std::string>{"model.onnx"}));
}

TEST(Repository, says_nothing_of_a_configuration_that_only_names_the_model) {
  const Folder folder;
  folder.write("m/1/model.onnx");
  folder.write("m/config.pbtxt", "name: \"m\" platform: \"onnxruntime_onnx\"\n");
  const auto found = scan_repository(folder.path());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_TRUE(found->warnings.empty()) << found->warnings[0];
}

TEST(Repository, serves_a_model_whose_configuration_is_broken_and_says_so) {
  const Folder folder;
  for (const char* model : {"a", "b", "c", "d"}) folder.write(std::string(model) + "/1/model.onnx");
  folder.write("a/config.pbtxt", "name: \"a\"\nmax_batch_size {\n");
  folder.write("b/config.pbtxt", std::string(2 << 20, '#'));
  fs::create_directory(folder.path("c/config.pbtxt"));
  ASSERT_EQ(::mkfifo(folder.path("d/config.pbtxt").c_str(), 0600), 0);  // would never end
  const auto found = scan_repository(folder.path());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->models.size(), 4u);
  ASSERT_EQ(found->warnings.size(), 4u);
  EXPECT_TRUE(found->warnings[0].contains("line 3: '}' is missing")) << found->warnings[0];
  EXPECT_TRUE(found->warnings[1].contains("more than 1048576 bytes")) << found->warnings[1];
  for (const size_t i : {2, 3})
    EXPECT_TRUE(found->warnings[i].contains("no regular file")) << found->warnings[i];
}

TEST(Repository, says_that_a_configuration_without_a_version_is_not_served) {
  const Folder folder;
  folder.write("good/1/model.onnx");
  folder.write("ensemble/config.pbtxt", "platform: \"ensemble\"");
  const auto found = scan_repository(folder.path());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->models.size(), 1u);
  ASSERT_EQ(found->warnings.size(), 1u);
  EXPECT_TRUE(found->warnings[0].contains("ensemble/config.pbtxt: configures a model that has no"))
      << found->warnings[0];
}

TEST(Repository, without_any_model_is_refused) {
  const Folder folder;
  EXPECT_EQ(scan_repository(folder.path()).error().code, Code::kNotFound);
  EXPECT_EQ(scan_repository(folder.path("none")).error().code, Code::kNotFound);
  folder.write("a b/1/model.onnx");
  EXPECT_EQ(scan_repository(folder.path()).error().code, Code::kInvalid);
}

TEST(ModelConfig, lists_the_outermost_settings_once_each) {
  EXPECT_EQ(settings(""), "");
  EXPECT_EQ(settings("# nothing but a comment"), "");
  EXPECT_EQ(settings("a: 1 b: -2.5e3 c: inf d: TYPE_FP32 e: true"), "a b c d e");
  EXPECT_EQ(settings("a: 1; b: 2, c: 3"), "a b c");
  EXPECT_EQ(settings("a { x: 1 } a { x: 2 } b: { y: 3 } c < z: 4 >"), "a b c");
  EXPECT_EQ(settings("a: [ 1, 2 ]\nb [ { x: 1 }, { x: 2 } ]"), "a b");
  EXPECT_EQ(settings("a: \"x { # \\\" y: 1\" 'and more' b: \"\""), "a b");
  EXPECT_EQ(settings("a { s: \"}\" # }\n t: '{' } b: 1"), "a b");
}

TEST(ModelConfig, says_in_which_line_it_is_lost) {
  EXPECT_EQ(settings("a"), "line 1: 'a' has no value");
  EXPECT_EQ(settings("a:"), "line 1: 'a' has no value");
  EXPECT_EQ(settings("a: 1\n2: 3"), "line 2: a setting's name is missing");
  EXPECT_EQ(settings("a: 1\n}"), "line 2: a setting's name is missing");
  EXPECT_EQ(settings("a {\n b [ }"), "line 2: '}' closes nothing");
  EXPECT_EQ(settings("a {\n\n"), "line 3: '}' is missing at the end");
  EXPECT_EQ(settings("a: \"x\ny\""), "line 1: a string does not end");
  EXPECT_EQ(settings("a: \"x\\"), "line 1: a string does not end");
  EXPECT_EQ(settings("a :: 1"), "line 1: 'a' has no value");
  EXPECT_EQ(settings("a " + std::string(100, '{')), "line 1: messages are nested too deeply");
  EXPECT_EQ(settings("\x7f\x45LF"), "line 1: a setting's name is missing");
}

TEST(ModelConfig, survives_every_cut_of_a_sound_text) {
  const std::string_view text =
      "name: \"m\" # comment\nmax_batch_size: 8\ninput [ { name: 'x' dims: [ 1, -1 ] } ]\n";
  for (size_t size = 0; size <= text.size(); ++size)
    static_cast<void>(settings_in(text.substr(0, size)));
  EXPECT_EQ(settings(text), "name max_batch_size input");
}

}  // namespace
}  // namespace casemate::launch
