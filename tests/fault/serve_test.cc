// SPDX-License-Identifier: Apache-2.0
// `casemate serve` as a whole, whose parts are killed: what it leaves is swept by the next one, and
// what a living one uses is not.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/format.h"
#include "outside/launch/operator.h"
#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using operating::State;

// A `casemate serve` of the digits model, with all its folders below `scratch`.
class Server final {
 public:
  explicit Server(const std::string& scratch) : run_(scratch + "/run") {
    const std::string program = build_folder() + "/bin/casemate";
    const std::string models = source_folder() + "/models";
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::setenv("CASEMATE_RUN", run_.c_str(), 1);
    ::setenv("CASEMATE_STATE", (scratch + "/state").c_str(), 1);
    const int log =
        ::open((scratch + "/log").c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execl(program.c_str(), "casemate", "serve", "--models", models.c_str(), "--listen",
            "127.0.0.1:0", nullptr);
    ::_exit(127);
  }
  ~Server() { kill(SIGTERM); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string place() const { return formatted("{}/{}", run_, pid_); }
  // The monitor is its only child.
  [[nodiscard]] pid_t monitor() const {
    const auto children = descendants(pid_);
    return children.empty() ? -1 : children.front();
  }

  [[nodiscard]] bool serving() const {
    return eventually(
        [&] {
          const auto reply = launch::ask(place() + "/operator", operating::Command::kStatus);
          if (!reply) return false;
          for (uint32_t e = 0; e < (*reply)->enclave_count; ++e) {
            if ((*reply)->enclaves[e].state != static_cast<uint32_t>(State::kRunning)) return false;
          }
          return (*reply)->enclave_count > 1;
        },
        std::chrono::seconds(60));
  }

  // Its exit status as of waitpid().
  int kill(int signal) {
    if (pid_ <= 0) return 0;
    ::kill(pid_, signal);
    return wait();
  }
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  static std::string source_folder() {
    const char* source = std::getenv("CASEMATE_SOURCE");
    return source != nullptr ? source : fs::path(build_folder()).parent_path().parent_path();
  }

  std::string run_;
  pid_t pid_ = -1;
};

class Serve : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(scratch_.data()), nullptr);
    fs::create_directory(scratch_ + "/run");
    fs::permissions(scratch_ + "/run", fs::perms::owner_all);
  }
  void TearDown() override { fs::remove_all(scratch_); }

  std::string scratch_ = "/tmp/casemate-test-XXXXXX";
};

TEST_F(Serve, that_is_stopped_leaves_nothing) {
  Server server(scratch_);
  ASSERT_TRUE(server.serving());
  const auto everybody = descendants(server.pid());
  const pid_t monitor = server.monitor();
  const int status = server.kill(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  for (const pid_t pid : everybody) EXPECT_FALSE(alive(pid)) << pid;
  EXPECT_TRUE(groups_of(monitor).empty());
  EXPECT_TRUE(fs::is_empty(scratch_ + "/run"));
}

TEST_F(Serve, whose_command_is_killed_takes_its_monitor_along_and_is_swept_by_the_next) {
  Server living(scratch_);
  Server killed(scratch_);
  ASSERT_TRUE(living.serving() && killed.serving());
  const auto everybody = descendants(killed.pid());
  const std::string place = killed.place();
  killed.kill(SIGKILL);
  EXPECT_TRUE(eventually([&] { return std::ranges::none_of(everybody, alive); }));
  EXPECT_TRUE(fs::exists(place)) << "else this proves nothing";
  Server next(scratch_);
  ASSERT_TRUE(next.serving());
  EXPECT_FALSE(fs::exists(place));
  EXPECT_TRUE(fs::exists(living.place() + "/operator"));
  EXPECT_TRUE(living.serving());
}

TEST_F(Serve, whose_monitor_is_killed_ends_with_it_and_says_so) {
  Server server(scratch_);
  ASSERT_TRUE(server.serving());
  const pid_t monitor = server.monitor();
  const auto everybody = descendants(server.pid());
  ASSERT_TRUE(hurt(monitor, SIGKILL));
  const int status = server.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 0) << status;
  EXPECT_TRUE(eventually([&] { return std::ranges::none_of(everybody, alive); }));
  EXPECT_TRUE(fs::is_empty(scratch_ + "/run"));
  Server next(scratch_);
  ASSERT_TRUE(next.serving());
  EXPECT_TRUE(groups_of(monitor).empty()) << "swept by the next";
}

TEST_F(Serve, whose_monitor_is_stuck_kills_it_and_says_so) {
  Server server(scratch_);
  ASSERT_TRUE(server.serving());
  const auto everybody = descendants(server.pid());
  ASSERT_TRUE(hurt(server.monitor(), SIGSTOP));
  const int status = server.kill(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status;
  EXPECT_TRUE(eventually([&] { return std::ranges::none_of(everybody, alive); }));
  std::ifstream log(scratch_ + "/log");
  const std::string said{std::istreambuf_iterator<char>(log), {}};
  EXPECT_TRUE(said.contains("the monitor did not stop within 10 s")) << said;
  EXPECT_TRUE(fs::is_empty(scratch_ + "/run"));
}

}  // namespace
}  // namespace casemate::tests
