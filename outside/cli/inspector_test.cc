// SPDX-License-Identifier: Apache-2.0
// The command's side of looking at a model, with scripts in the place of casemate-inspect: what it
// is given, and what becomes of one that misbehaves.
#include "outside/cli/inspector.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
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

// The stream lies behind the model: its first descriptor is empty when it was revoked.
constexpr const char* kWaits = "while [ -s /proc/self/fd/4 ]; do sleep 0.05; done; exit 70";

class InspectorWithOpencl : public Inspector {
 protected:
  // What comes of it when `device` is the script that drives the device, and `looks` looks.
  Result<InspectorAnswer> ask_with(const std::string& device, const std::string& looks,
                                   const std::string& names = "cpu:0,opencl:3") {
    const std::string text = "#!/bin/sh\n" + device + "\n";
    ::chmod(folder_.file("casemate-inspect-opencl", bytes_of(std::string_view(text))).c_str(),
            0700);
    const std::string inspector = "#!/bin/sh\n" + looks + "\n";
    const std::string program = folder_.file("program", bytes_of(std::string_view(inspector)));
    ::chmod(program.c_str(), 0700);
    return inspect(program, model_, {"plan", "threads=2", "memory=4096", "devices=" + names},
                   {.patience = 20s});
  }
};

TEST_F(InspectorWithOpencl,
       gives_both_programs_the_ends_of_a_stream_and_shows_the_driver_no_model) {
  const std::string heard = folder_.path("heard");
  const auto answer = ask_with("echo $2 $3 $4 $5 $6 >" + heard + "; ls /proc/self/fd >>" + heard +
                                   "; mv " + heard + " " + heard + ".all; sleep 60",
                               "while [ ! -e " + heard + ".all ]; do sleep 0.05; done; cat " +
                                   heard + ".all; cat <&3; echo; echo $*");
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->text,
            "3 2 4096 22 3:64:67108864:67108864\n0\n1\n2\n3\n4\n5\n6\n7\nmodel\n"
            "plan threads=2 memory=4096 devices=cpu:0,opencl:3 "
            "remote=opencl:3=4:64:67108864:67108864\n");
}

TEST_F(InspectorWithOpencl, says_why_a_device_was_not_to_be_had) {
  const auto refused = ask_with("echo 'no \033device' >&2; exit 66", kWaits);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "opencl:3: no ?device");
  EXPECT_EQ(refused.error().code, code_from(2));
  const auto killed = ask_with("echo last words >&2; kill -SEGV $$", kWaits);
  ASSERT_FALSE(killed);
  EXPECT_TRUE(killed.error().text.contains("opencl:3: the program that drives it was ended by "
                                           "SIGSEGV") &&
              killed.error().text.ends_with(": last words"))
      << killed.error().text;
  const auto failed = ask_with("exit 3", kWaits);
  ASSERT_FALSE(failed);
  EXPECT_TRUE(failed.error().text.contains("ended with code 3")) << failed.error().text;
}

TEST_F(InspectorWithOpencl, ends_a_driver_that_nobody_listens_to_any_more) {
  const std::string heard = folder_.path("pid");
  const auto answer = ask_with("echo $$ >" + heard + "; while :; do :; done",
                               "while [ ! -s " + heard + " ]; do sleep 0.05; done; cat " + heard);
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(::kill(std::stoi(answer->text), 0), -1) << "it is gone";
}

TEST_F(InspectorWithOpencl, refuses_names_that_are_none_before_anything_starts) {
  for (const auto& [names, why] :
       {std::pair("opencl:x", "'opencl:x' is no device's name"),
        std::pair("cpu:0,opencl:00", "'opencl:00' is no device's name"),
        std::pair("opencl:16", "'opencl:16' is no device's name"),
        std::pair("opencl:1,opencl:1", "the device opencl:1 is named twice"),
        std::pair("opencl:0,opencl:1,opencl:2,opencl:3,opencl:4", "at most 4 devices of OpenCL")}) {
    const auto answer = ask_with("exit 3", "echo x", names);
    ASSERT_FALSE(answer) << names;
    EXPECT_TRUE(answer.error().text.contains(why)) << answer.error().text;
  }
}

TEST_F(Inspector, that_was_not_built_is_said_so) {
  const auto answer = inspect(folder_.path("nothing"), model_, {}, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace casemate::cli
