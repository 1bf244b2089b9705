// SPDX-License-Identifier: Apache-2.0
// The command's side of looking at a model, with scripts in the place of casemate-inspect: what it
// is given, and what becomes of one that misbehaves.
#include "outside/cli/inspector.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "base/bytes.h"
#include "outside/client/testing/pictures.h"

namespace casemate::cli {
namespace {

using namespace std::chrono_literals;

class Inspector : public testing::Test {
 protected:
  // What comes of it when this script looks at the model.
  Result<InspectorAnswer> ask(const std::string& script, const InspectorLimits& limits = {}) {
    const std::string text = "#!/bin/sh\n" + script + "\n";
    const std::string program = folder_.file("program", bytes_of(std::string_view(text)));
    ::chmod(program.c_str(), 0700);
    return inspect(program, model_, {"check", "json=0"}, limits);
  }

  client::testing::TestFolder folder_;
  std::string model_ = folder_.file("m.onnx", bytes_of(std::string_view("model")));
};

TEST_F(Inspector, gives_the_program_the_model_and_nothing_else) {
  ::setenv("CASEMATE_SECRET", "1", 1);
  const auto answer = ask("cat <&3; echo; echo $*; echo secret $CASEMATE_SECRET; ls /proc/self/fd");
  ::unsetenv("CASEMATE_SECRET");
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_FALSE(answer->refusal);
  // The last is the folder that ls itself reads.
  EXPECT_EQ(answer->text, "model\ncheck json=0\nsecret\n0\n1\n2\n3\n4\n");
}

TEST_F(Inspector, gives_it_the_folder_only_where_that_was_said) {
  const auto answer = ask("ls /proc/self/fd/4/", {.external_data = true});
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->text, "m.onnx\nprogram\n");
}

TEST_F(Inspector, gives_it_no_file_where_the_question_is_about_none) {
  const std::string text = "#!/bin/sh\necho $*; ls /proc/self/fd; kill -SEGV $$\n";
  const std::string program = folder_.file("program", bytes_of(std::string_view(text)));
  ::chmod(program.c_str(), 0700);
  const auto answer = inspect(program, std::nullopt, {"devices"}, {});
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().text.contains("looked at the devices was ended by SIGSEGV"))
      << answer.error().text;
  const std::string calm = "#!/bin/sh\necho $*; ls /proc/self/fd\n";
  folder_.file("program", bytes_of(std::string_view(calm)));
  const auto said = inspect(program, std::nullopt, {"devices"}, {});
  ASSERT_TRUE(said) << said.error().text;
  // The last is the folder that ls itself reads.
  EXPECT_EQ(said->text, "devices\n0\n1\n2\n3\n");
}

TEST_F(Inspector, prints_nothing_but_what_is_printable) {
  const auto answer = ask("printf 'a\\033[31m\\r\\001\\tb\\302\\233\\n\\n\\177'");
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->text, "a?[31m???b??\n\n?\n");
}

TEST_F(Inspector, passes_a_refusal_on_in_one_line) {
  const auto answer = ask("echo found; printf 'no \\033good\\nmore' >&2; exit 67");
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->text, "found\n");
  ASSERT_TRUE(answer->refusal);
  EXPECT_EQ(answer->refusal->code, Code::kUnsupported);
  EXPECT_EQ(answer->refusal->text, "no ?good");
}

TEST_F(Inspector, takes_no_answer_of_a_program_that_fails) {
  for (const char* script : {"echo x; exit 3", "exit 67", "exit 1", "echo broken >&2; exit 2"}) {
    const auto answer = ask(script);
    ASSERT_FALSE(answer) << script;
    EXPECT_EQ(answer.error().code, Code::kPlatform) << script;
    EXPECT_TRUE(answer.error().text.contains("did not come to an answer")) << answer.error().text;
  }
}

TEST_F(Inspector, says_which_signal_ended_it) {
  const auto answer = ask("echo half; echo last words >&2; kill -BUS $$");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kPartitionFailed);
  for (const char* part : {"SIGBUS", "was the file cut", ": last words"})
    EXPECT_TRUE(answer.error().text.contains(part)) << answer.error().text;
}

TEST_F(Inspector, ends_one_that_is_slow_whatever_it_closes) {
  for (const char* script :
       {"exec sleep 60", "exec >&- 2>&-; exec sleep 60", "while :; do :; done"}) {
    const auto begin = std::chrono::steady_clock::now();
    const auto answer = ask(script, {.patience = 200ms});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kTimedOut);
    EXPECT_TRUE(answer.error().text.contains("no answer within 0.2 s")) << answer.error().text;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  }
}

TEST_F(Inspector, breaks_off_one_that_says_too_much) {
  for (const char* script : {"exec yes", "exec yes >&2"}) {
    const auto answer = ask(script, {.text_bytes_max = 1 << 20});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kTooLarge);
  }
}

TEST_F(Inspector, that_was_not_built_is_said_so) {
  const auto answer = inspect(folder_.path("nothing"), model_, {}, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace casemate::cli
