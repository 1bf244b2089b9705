// SPDX-License-Identifier: Apache-2.0
// Unmodified programs, each in a jail, with their accelerator in another (`casemate run`).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/format.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

std::string text_in(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// `./dev test --whole` asks for all.
bool whole() { return std::getenv("CASEMATE_WHOLE") != nullptr; }

struct Ended {
  int code = -1;
  std::string out;
  std::string err;
};

class RunProgram : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "casemate-test-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Two at the same time have each a `place` of their own.
  [[nodiscard]] Ended start(std::vector<std::string> words, const std::string& place = "") const {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("CASEMATE_RUN", (folder_ + "/run" + place).c_str(), 1);
      ::setenv("POCL_CACHE_DIR", (folder_ + "/cache").c_str(), 1);
      const auto redirect = [&](const char* name, int number) {
        const std::string path = folder_ + name + place;
        ::dup2(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), number);
      };
      redirect("/out", STDOUT_FILENO);
      redirect("/err", STDERR_FILENO);
      std::vector<char*> pointers;
      for (std::string& word : words) pointers.push_back(word.data());
      pointers.push_back(nullptr);
      ::execv(pointers.front(), pointers.data());
      ::_exit(127);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return {};
    return {WEXITSTATUS(status), text_in(folder_ + "/out" + place),
            text_in(folder_ + "/err" + place)};
  }
  [[nodiscard]] Ended run(std::vector<std::string> flags, const std::vector<std::string>& command,
                          const std::string& place = "") const {
    flags.insert(flags.begin(), {"/usr/bin/timeout", kPatience, build_folder() + "/bin/casemate"});
    flags.insert(flags.begin() + 3, "run");
    flags.emplace_back("--");
    flags.insert(flags.end(), command.begin(), command.end());
    return start(std::move(flags), place);
  }
  static std::string opencl(const std::string& name) { return build_folder() + "/opencl/" + name; }

  // Seconds for one program, after which it ends with 124.
  static constexpr const char* kPatience = "1800";
  std::string folder_;
};

TEST_F(RunProgram, prints_what_it_prints_natively_and_ends_as_it_ends) {
  std::vector<std::string> programs = {"rodinia_lud", "opencl_programs"};
  if (whole())
    programs = {"rodinia_backprop", "rodinia_bfs",    "rodinia_gaussian", "rodinia_hotspot",
                "rodinia_lud",      "rodinia_nn",     "rodinia_nw",       "rodinia_pathfinder",
                "rodinia_srad",     "opencl_programs"};
  for (const std::string& program : programs) {
    const Ended natively = start({opencl(program)});
    const Ended ours = run({}, {opencl(program)});
    EXPECT_EQ(natively.code, 0) << natively.err;
    EXPECT_EQ(ours.code, 0) << ours.err;
    EXPECT_FALSE(natively.out.empty());
    EXPECT_EQ(ours.out, natively.out);
  }
}

TEST_F(RunProgram, finds_one_device_that_is_casemate_s) {
  const Ended listed = run({}, {"clinfo", "-l"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_TRUE(listed.out.contains("Platform #0: Casemate")) << listed.out;
  EXPECT_FALSE(listed.out.contains("Platform #1")) << listed.out;
}

// Programs that others have written, as Debian has built them.
TEST_F(RunProgram, may_be_clpeak_which_measures_the_device) {
  std::vector<std::string> command = {"clpeak", "--kernel-latency"};
  std::vector<std::string> measured = {"Platform: Casemate", "Kernel launch latency :"};
  if (whole()) {
    command = {"clpeak"};
    measured.insert(measured.end(), {"Global memory bandwidth", "Single-precision compute",
                                     "Integer compute", "Transfer bandwidth"});
  }
  const Ended said = run({}, command);
  EXPECT_EQ(said.code, 0) << said.err;
  for (const std::string& what : measured)
    EXPECT_TRUE(said.out.contains(what)) << what << " is not in:\n" << said.out;
}

TEST_F(RunProgram, may_be_clblast_s_own_tests_and_they_pass) {
  std::vector<std::string> tests = {"clblast_test_xdot"};
  if (whole())
    tests = {"clblast_test_xaxpy", "clblast_test_xdot", "clblast_test_xgemv", "clblast_test_xgemm"};
  for (const std::string& test : tests) {
    const Ended said = run({}, {test});
    EXPECT_EQ(said.code, 0) << said.out << said.err;
    EXPECT_TRUE(said.out.contains(" passed / ")) << said.out;
    EXPECT_TRUE(said.out.contains("   0 test(s) failed")) << said.out;
  }
}

TEST_F(RunProgram, gets_its_words_environment_files_and_input_and_its_exit_code_comes_back) {
  std::ofstream(folder_ + "/greeting") << "hello\n";
  const Ended said = run({"--env", "NAME=casemate", "--file", folder_ + "/greeting:/etc/greeting",
                          "--file", "/usr/bin/cat:/bin/cat"},
                         {"/bin/sh", "-c", "echo $0 $NAME; cat /etc/greeting; exit 42", "shell"});
  EXPECT_EQ(said.code, 42) << said.err;
  EXPECT_EQ(said.out, "shell casemate\nhello\n");
}

TEST_F(RunProgram, has_the_variable_that_its_user_gives_it_in_place_of_ours) {
  const Ended said = run({"--env", "HOME=/elsewhere"}, {"/usr/bin/env"});
  EXPECT_TRUE(said.out.contains("HOME=/elsewhere\n")) << said.out << said.err;
  EXPECT_FALSE(said.out.contains("HOME=/tmp")) << said.out;
}

TEST_F(RunProgram, that_dies_of_a_signal_ends_us_as_a_shell_says_it) {
  EXPECT_EQ(run({}, {"/bin/sh", "-c", "kill -SEGV $$"}).code, 128 + 11);
}

TEST_F(RunProgram, sees_its_own_files_and_may_write_its_own_folder_alone) {
  const Ended said =
      run({"--file", "/usr/bin/ls:/bin/ls"},
          {"/bin/sh", "-c", "ls /; echo mine > /tmp/file && ls /tmp; echo theirs > /bin/file"});
  EXPECT_EQ(said.out, "bin\netc\nlib\nlib64\ntmp\nusr\nfile\n") << said.err;
  EXPECT_NE(said.code, 0);
}

TEST_F(RunProgram, that_fills_its_own_folder_is_told_that_it_is_full) {
  const Ended ended =
      run({}, {"/bin/sh", "-c",
               "a=x; i=0; while [ $i -lt 20 ]; do a=$a$a; i=$((i+1)); done; i=0; "
               "while [ $i -lt 300 ]; do echo $a >> /tmp/file || { echo $((i>=200)); exit 9; }; "
               "i=$((i+1)); done"});
  EXPECT_EQ(ended.code, 9) << ended.err;
  EXPECT_EQ(ended.out, "1\n") << "256 MiB, and not much less";
}

// On a device that is a processor a kernel may do what the process may that runs it.
TEST_F(RunProgram, loses_its_device_and_nothing_else_by_a_wild_kernel) {
  const Ended ended = run({"--hang", "10"}, {opencl("opencl_wild")});
  EXPECT_EQ(ended.code, 7) << ended.err;
  EXPECT_EQ(ended.out, "it is gone, and mine are 1 2 3\n");
}

// Each run has a monitor, and a partition of its device, of its own: two on one machine share no
// memory and no process, and the end of one's device is none of the other's. It is not shown that
// two programs could share one device.
TEST_F(RunProgram, computes_the_same_while_a_kernel_of_another_run_writes_beyond_its_buffer) {
  const Ended natively = start({opencl("rodinia_lud")});
  ASSERT_EQ(natively.code, 0) << natively.err;
  std::atomic<bool> done = false;
  int wild_ones = 0;
  std::thread beside([&] {
    while (!done) {
      // What it writes over may be a lock, at which its device's partition then stands still.
      const Ended ended = run({"--hang", "10"}, {opencl("opencl_wild"), "beyond"}, "-wild");
      EXPECT_TRUE(ended.code == 0 || ended.code == 7) << ended.code << ended.err;
      EXPECT_TRUE(ended.out.contains("and mine are 1 2 3")) << ended.out;
      ++wild_ones;
    }
  });
  for (int i = 0; i < 3; ++i) {
    const Ended ours = run({}, {opencl("rodinia_lud")});
    EXPECT_EQ(ours.code, 0) << ours.err;
    EXPECT_EQ(ours.out, natively.out);
  }
  done = true;
  beside.join();
  EXPECT_GT(wild_ones, 0);
}

TEST_F(RunProgram, loses_its_device_by_a_kernel_that_never_ends_after_the_time_that_its_user_says) {
  const auto begin = std::chrono::steady_clock::now();
  // Long enough for the device to build the kernel on a machine that has other work.
  const Ended ended = run({"--hang", "10", "--verbose"}, {opencl("opencl_lasting"), "forever"});
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(ended.code, 7) << ended.err;
  EXPECT_EQ(ended.out, "it is gone, and mine are 1 2 3\n");
  EXPECT_TRUE(ended.err.contains("has work and makes no progress")) << ended.err;
  EXPECT_GE(took, std::chrono::seconds(10)) << "it has been given its time";
  EXPECT_LT(took, std::chrono::seconds(60));
}

// One call waits for all of them, half as long again as one command may take. To build the kernel
// is one thing that it does, too: where that takes longer, as it may on a machine that has other
// work, a longer patience shows the same.
TEST_F(RunProgram, keeps_its_device_while_one_command_after_the_other_ends) {
  Ended ended;
  int patience = 2;
  for (; patience <= 16; patience *= 2) {
    ended = run({"--hang", std::to_string(patience)},
                {opencl("opencl_lasting"), std::to_string(1.5 * patience)});
    if (ended.code == 0) break;
  }
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_TRUE(ended.out.ends_with("\nit went well, and mine are 1 2 3\n")) << ended.out;
  double waited = 0;
  ASSERT_EQ(std::sscanf(ended.out.c_str(), "one wait took %lf s", &waited), 1) << ended.out;
  EXPECT_GE(waited, 1.5 * patience) << "no longer than the patience: this has shown nothing";
}

TEST_F(RunProgram, that_takes_more_memory_than_it_has_is_ended) {
  const Ended ended =
      run({"--program-memory-mib", "64"}, {"/bin/sh", "-c", "a=x; while :; do a=$a$a; done"});
  EXPECT_EQ(ended.code, 128 + 9) << ended.err;
}

TEST_F(RunProgram, is_refused_with_a_sentence_where_it_cannot_run) {
  struct Case {
    std::vector<std::string> flags;
    std::string program;
    std::string says;
  };
  std::ofstream(folder_ + "/script") << "#!/bin/sh\n";
  fs::permissions(folder_ + "/script", fs::perms::owner_all);
  const std::vector<Case> cases = {
      {{}, "/nowhere/program", "/nowhere/program: there is no such program, or it may not be run"},
      {{}, folder_ + "/script", "is no ELF program"},
      {{"--device", "cpu:0"}, "/bin/true", "--device cpu:0: programs run on OpenCL devices"},
      {{"--device", "opencl:99"}, "/bin/true", "name one from opencl:0 to opencl:15"},
      {{"--device", "opencl:"}, "/bin/true", "name one from opencl:0"},
      {{"--device", "opencl:15"}, opencl("opencl_buffers"), "opencl:15 failed while"},
      {{"--hang", "3601"}, "/bin/true", "3601 not in range"},
      {{"--file", "/nowhere/file"}, "/bin/true", "--file /nowhere/file: there is no such file"},
      {{"--env", "A=" + std::string(70'000, 'x')}, "/bin/true", "arguments and environment have"},
  };
  for (const Case& c : cases) {
    const Ended ended = run(c.flags, {c.program});
    EXPECT_NE(ended.code, 0) << c.says;
    EXPECT_TRUE(ended.err.contains(c.says)) << c.says << " is not in:\n" << ended.err;
  }
}

}  // namespace
}  // namespace casemate::tests
