// SPDX-License-Identifier: Apache-2.0
#include "outside/child/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/fd.h"

namespace casemate::child {
namespace {

using namespace std::chrono_literals;

Instant within(Duration patience) { return system_clock().now() + patience; }

Command shell(std::string script) {
  return {.program = "/bin/sh", .arguments = {"sh", "-c", std::move(script)}};
}

TEST(Child, is_heard_on_both_streams_and_its_status_told) {
  const auto said = run(shell("echo out; echo err >&2; exit 7"), 1000, within(60s));
  ASSERT_TRUE(said) << said.error().text;
  EXPECT_EQ(said->out, "out\n");
  EXPECT_EQ(said->err, "err\n");
  EXPECT_TRUE(WIFEXITED(said->status));
  EXPECT_EQ(WEXITSTATUS(said->status), 7);
}

TEST(Child, gets_the_words_variables_and_descriptors_it_is_given_and_no_others) {
  ::setenv("CASEMATE_SECRET", "1", 1);
  const Fd ours(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  const Fd given(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  Command command =
      shell("echo \"$0;$CASEMATE_SECRET;$WORD\"; ls /proc/self/fd; head -c 2 <&3 | wc -c");
  command.arguments.push_back("$(echo no shell); one word");
  command.environment = {"WORD=x"};
  command.descriptors = {given.number()};
  const auto said = run(command, 1000, within(60s));
  ::unsetenv("CASEMATE_SECRET");
  ASSERT_TRUE(said) << said.error().text;
  // The last descriptor is the folder that ls itself reads.
  EXPECT_EQ(said->out, "$(echo no shell); one word;;x\n0\n1\n2\n3\n4\n2\n") << said->err;
}

TEST(Child, is_ended_when_its_time_is_over_whatever_it_closes) {
  for (const char* script : {"exec sleep 60", "exec >&- 2>&-; exec sleep 60"}) {
    const auto begin = std::chrono::steady_clock::now();
    const auto said = run(shell(script), 1000, within(200ms));
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().code, Code::kTimedOut);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  }
}

TEST(Child, is_ended_when_it_says_too_much) {
  const auto said = run(shell("exec yes"), 1 << 20, within(60s));
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, Code::kTooLarge);
}

TEST(Child, cannot_write_files_beyond_the_size_it_is_given) {
  std::string path = "/tmp/casemate-child-XXXXXX";
  const Fd file(::mkstemp(path.data()));
  Command command = shell("exec head -c 100000 /dev/zero >" + path);
  command.file_bytes_max = 4096;
  const auto said = run(command, 1000, within(60s));
  ::unlink(path.c_str());
  ASSERT_TRUE(said) << said.error().text;
  EXPECT_NE(said->status, 0);
  EXPECT_EQ(::lseek(file.number(), 0, SEEK_END), 4096);
}

TEST(Child, that_is_no_program_ends_as_a_shell_would_say) {
  const auto said = run({.program = "/nowhere", .arguments = {"nowhere"}}, 1000, within(60s));
  ASSERT_TRUE(said) << said.error().text;
  EXPECT_TRUE(WIFEXITED(said->status));
  EXPECT_EQ(WEXITSTATUS(said->status), 127);
}

TEST(Child, that_runs_beside_its_starter_can_be_ended_while_it_is_listened_to) {
  auto running = Running::start(shell("echo here; exec sleep 60"));
  ASSERT_TRUE(running) << running.error().text;
  const auto begin = std::chrono::steady_clock::now();
  std::jthread end([&] { running->kill(); });
  const auto said = running->listen(1000, within(60s));
  ASSERT_TRUE(said) << said.error().text;
  EXPECT_TRUE(WIFSIGNALED(said->status));
  EXPECT_EQ(WTERMSIG(said->status), SIGKILL);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST(Child, that_runs_beside_its_starter_is_gone_when_nobody_has_it) {
  std::string path = "/tmp/casemate-child-XXXXXX";
  const Fd file(::mkstemp(path.data()));
  {
    const auto running = Running::start(shell("echo $$ >" + path + "; exec sleep 60"));
    ASSERT_TRUE(running) << running.error().text;
    while (::lseek(file.number(), 0, SEEK_END) < 2) ::usleep(1000);
  }
  std::array<char, 16> text{};
  ASSERT_GT(::pread(file.number(), text.data(), text.size() - 1, 0), 0);
  ::unlink(path.c_str());
  EXPECT_EQ(::kill(std::atoi(text.data()), 0), -1);
}

TEST(Child, is_found_in_absolute_folders_of_the_path_alone) {
  const std::string before = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
  ::setenv("PATH", "bin::/nowhere:/usr/bin:/bin", 1);
  const auto found = program_in_path("sh");
  ::setenv("PATH", "usr/bin:.:", 1);
  const auto none = program_in_path("sh");
  ::setenv("PATH", before.c_str(), 1);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_TRUE(*found == "/usr/bin/sh" || *found == "/bin/sh") << *found;
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace casemate::child
