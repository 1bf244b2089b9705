// SPDX-License-Identifier: Apache-2.0
// Wrong model repositories, one mistake in each, as small trees.
#include "outside/launch/repository.h"
#include "base/format.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/manifest/scratch.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using launch::scan_repository;

// A repository with one right model, beside which the test puts its mistake.
class Repository : public testing::Test {
 protected:
  Repository() { scratch_.write("right/1/model.onnx", "model"); }

  void expect_refused(Code code, const std::string& sentence_expected) const {
    const auto found = scan_repository(scratch_.folder());
    ASSERT_FALSE(found) << "nothing refuses this repository";
    EXPECT_EQ(found.error().text, sentence_expected);
    EXPECT_EQ(found.error().code, code);
    EXPECT_TRUE(sentence(found.error().text));
  }
  [[nodiscard]] std::string at(const std::string& name) const { return scratch_.path(name); }

  Scratch scratch_;
};

TEST_F(Repository, serves_the_highest_version_with_the_model_first) {
  scratch_.write("other/2/model.onnx", "model");
  scratch_.write("other/10/model.onnx", "model");
  scratch_.write("other/10/a.weights", "weights");
  scratch_.write("other/010/model.onnx", "not a version");
  scratch_.write("other/v11/model.onnx", "not a version");
  scratch_.write("other/4294967296/model.onnx", "beyond 32 bits");
  const auto found = scan_repository(scratch_.folder());
  ASSERT_TRUE(found) << found.error().text;
  ASSERT_EQ(found->models.size(), 2u);
  EXPECT_EQ(found->models.at(0).name, "other");
  EXPECT_EQ(found->models.at(0).version, 10u);
  EXPECT_EQ(found->models.at(0).folder, at("other/10"));
  EXPECT_EQ(found->models.at(0).files, (std::vector<std::string>{"model.onnx", "a.weights"}));
  EXPECT_EQ(found->models.at(1).name, "right");
}

TEST_F(Repository, passes_over_what_holds_no_model) {
  scratch_.write("README.md", "text");
  scratch_.write("pictures of digits/seven.png", "picture");
  scratch_.write("scripts/tools/train.py", "script");
  scratch_.write(".git/1/HEAD", "hidden");
  fs::create_symlink("nowhere", at("zzz"));
  const auto found = scan_repository(scratch_.folder());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->models.size(), 1u);
}

TEST_F(Repository, that_is_not_there_is_refused) {
  const auto models = scan_repository(at("nowhere"));
  ASSERT_FALSE(models);
  EXPECT_EQ(models.error().text,
            "model repository " + at("nowhere") +
                ": No such file or directory; --models or the system file's 'repository' names it");
  EXPECT_EQ(models.error().code, Code::kNotFound);
}

TEST_F(Repository, that_is_a_file_is_refused) {
  const std::string file = scratch_.write("file", "text");
  EXPECT_EQ(refusal(scan_repository(file)),
            "model repository " + file +
                ": Not a directory; --models or the system file's 'repository' names it");
}

TEST_F(Repository, without_any_model_is_refused) {
  fs::create_directory(at("empty"));
  EXPECT_EQ(refusal(scan_repository(at("empty"))), "model repository " + at("empty") +
                                                       ": holds no model; put one at " +
                                                       at("empty") + "/NAME/1/model.onnx");
}

TEST_F(Repository, with_a_version_without_model_is_refused) {
  scratch_.write("wrong/1/weights.onnx", "no model");
  expect_refused(Code::kInvalid, at("wrong/1") +
                                     ": holds no file model.onnx (links and folders are not "
                                     "followed); put the model there, or remove the version");
}

TEST_F(Repository, with_a_highest_version_without_model_is_refused_though_a_lower_one_has_it) {
  scratch_.write("wrong/1/model.onnx", "model");
  fs::create_directory(at("wrong/2"));
  expect_refused(Code::kInvalid, at("wrong/2") +
                                     ": holds no file model.onnx (links and folders are not "
                                     "followed); put the model there, or remove the version");
}

TEST_F(Repository, with_a_link_instead_of_a_model_is_refused) {
  fs::create_directories(at("wrong/1"));
  fs::create_symlink(at("right/1/model.onnx"), at("wrong/1/model.onnx"));
  expect_refused(Code::kInvalid, at("wrong/1") +
                                     ": holds no file model.onnx (links and folders are not "
                                     "followed); put the model there, or remove the version");
}

TEST_F(Repository, with_a_folder_instead_of_a_model_is_refused) {
  fs::create_directories(at("wrong/1/model.onnx"));
  expect_refused(Code::kInvalid, at("wrong/1") +
                                     ": holds no file model.onnx (links and folders are not "
                                     "followed); put the model there, or remove the version");
}

TEST_F(Repository, with_a_model_outside_a_version_is_refused) {
  scratch_.write("wrong/model.onnx", "model");
  expect_refused(Code::kInvalid, at("wrong/model.onnx") +
                                     ": lies in no version folder; move it to " +
                                     at("wrong/1/model.onnx"));
}

class BadVersion : public Repository, public testing::WithParamInterface<const char*> {};

TEST_P(BadVersion, is_refused_when_it_is_the_only_one) {
  const std::string version = GetParam();
  scratch_.write("wrong/" + version + "/model.onnx", "model");
  expect_refused(Code::kInvalid, at("wrong/" + version + "/model.onnx") +
                                     ": lies in no version folder; move it to " +
                                     at("wrong/1/model.onnx"));
}

INSTANTIATE_TEST_SUITE_P(Repository, BadVersion,
                         testing::Values("v1", "0", "01", "1.0", "-1", "latest", "4294967296"));

class BadName : public Repository, public testing::WithParamInterface<std::string> {};

TEST_P(BadName, of_a_model_is_refused) {
  scratch_.write(GetParam() + "/1/model.onnx", "model");
  expect_refused(Code::kInvalid, at(GetParam()) +
                                     ": models have names of at most 63 letters, digits, '-', '_' "
                                     "and '.', other than 'gateway'; rename the folder");
}

INSTANTIATE_TEST_SUITE_P(Repository, BadName,
                         testing::Values("my model", "modèle", "a:b", "gateway",
                                         std::string(64, 'n')));

TEST_F(Repository, with_a_name_of_63_characters_is_served) {
  scratch_.write(std::string(63, 'n') + "/1/model.onnx", "model");
  EXPECT_EQ(refusal(scan_repository(scratch_.folder())), "");
}

TEST_F(Repository, with_too_many_files_beside_a_model_is_refused) {
  for (int i = 1; i < 64; ++i) scratch_.write(formatted("right/1/weights-{}", i), "weights");
  EXPECT_EQ(refusal(scan_repository(scratch_.folder())), "") << "64 are served";
  scratch_.write("right/1/weights-64", "weights");
  expect_refused(Code::kTooLarge,
                 at("right/1") +
                     ": holds 65 files, of which at most 64 can be served; keep the model and its "
                     "external data alone");
}

TEST_F(Repository, with_a_file_that_the_monitor_would_not_take_is_refused) {
  scratch_.write("right/1/my weights", "weights");
  expect_refused(Code::kInvalid, at("right/1") +
                                     ": holds 'my weights', whose name has a space or another "
                                     "character that is not served; rename or move it");
}

}  // namespace
}  // namespace casemate::tests
