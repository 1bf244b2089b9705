// SPDX-License-Identifier: Apache-2.0
// `casemate top` on a terminal, as a person has it, and in a pipe.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/fd.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

[[noreturn]] void become_top(const std::string& folder, std::vector<std::string> arguments) {
  ::setenv("CASEMATE_RUN", (folder + "/run").c_str(), 1);
  ::setenv("TERM", "xterm-256color", 1);
  arguments.insert(arguments.begin(), {build_folder() + "/bin/casemate", "top"});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers.front(), pointers.data());
  ::_exit(127);
}

// A terminal with `casemate top` on it.
class Terminal final {
 public:
  Terminal(const std::string& folder, unsigned short columns, unsigned short rows) {
    const winsize size{rows, columns, 0, 0};
    int master = -1;
    int slave = -1;
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
    master_ = Fd(master);
    slave_ = Fd(slave);
    ::tcgetattr(slave, &before_);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::login_tty(slave);
    become_top(folder, {"--interval", "0.1"});
  }
  ~Terminal() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
  }

  // Reads until `text` has been written since the last time.
  bool shows(std::string_view text) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!written_.substr(seen_).contains(text)) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      take(20);
    }
    return true;
  }
  void press(std::string_view keys) {
    seen_ = written_.size();
    EXPECT_EQ(::write(master_.number(), keys.data(), keys.size()),
              static_cast<ssize_t>(keys.size()));
  }
  void signal(int number) const { ::kill(pid_, number); }
  // Its exit status as of waitpid().
  int wait() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > deadline) return -1;
      take(20);
    }
    pid_ = -1;
    take(0);
    return status;
  }
  [[nodiscard]] const std::string& written() const { return written_; }
  // The terminal takes lines and echoes them again, shows its cursor and its first screen.
  void expect_restored() const {
    termios now{};
    ASSERT_EQ(::tcgetattr(slave_.number(), &now), 0);
    EXPECT_EQ(now.c_lflag, before_.c_lflag);
    EXPECT_EQ(now.c_iflag, before_.c_iflag);
    const auto last = [&](const char* on, const char* off) {
      const size_t a = written_.rfind(on);
      const size_t b = written_.rfind(off);
      return b == written_.npos || (a != written_.npos && a > b);
    };
    EXPECT_TRUE(last("\x1b[?1049l", "\x1b[?1049h")) << "another screen is left";
    EXPECT_TRUE(last("\x1b[?25h", "\x1b[?25l")) << "no cursor is left";
  }

 private:
  void take(int patience_ms) {
    pollfd waiting{master_.number(), POLLIN, 0};
    char bytes[4096];
    while (::poll(&waiting, 1, patience_ms) == 1 && (waiting.revents & POLLIN) != 0) {
      const ssize_t got = ::read(master_.number(), bytes, sizeof bytes);
      if (got <= 0) return;
      written_.append(bytes, static_cast<size_t>(got));
      patience_ms = 0;
    }
  }

  Fd master_;
  Fd slave_;
  termios before_{};
  pid_t pid_ = -1;
  std::string written_;
  size_t seen_ = 0;
};

class Top : public testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(system_.url().empty()) << system_.printed(); }
  // In a pipe; its exit code is the last line.
  [[nodiscard]] std::string piped(const std::string& arguments) const {
    const std::string command = "CASEMATE_RUN=" + system_.folder() + "/run " + build_folder() +
                                "/bin/casemate top " + arguments + " 2>&1; echo $?";
    FILE* const pipe = ::popen(command.c_str(), "r");
    std::string text;
    char bytes[512];
    while (const size_t got = std::fread(bytes, 1, sizeof bytes, pipe)) text.append(bytes, got);
    ::pclose(pipe);
    return text;
  }

  ServedSystem system_{source_folder() + "/models"};
};

TEST_F(Top, leaves_the_terminal_as_it_was_however_it_ends) {
  for (const int way : {0, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGSEGV}) {
    SCOPED_TRACE(way);
    Terminal terminal(system_.folder(), 80, 24);
    ASSERT_TRUE(terminal.shows("digits/1")) << terminal.written();
    ASSERT_TRUE(terminal.written().contains("\x1b[?1049h"));
    way == 0 ? terminal.press("q") : terminal.signal(way);
    const int status = terminal.wait();
    if (way == SIGSEGV) {
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
    } else {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    }
    terminal.expect_restored();
  }
}

TEST_F(Top, kills_what_is_selected_after_it_has_asked) {
  Terminal terminal(system_.folder(), 100, 24);
  ASSERT_TRUE(terminal.shows("digits/1"));
  terminal.press("\x1b[B");  // down
  terminal.press("k");
  ASSERT_TRUE(terminal.shows("Kill digits/1?")) << terminal.written();
  EXPECT_EQ((*system_.status())->partitions[1].epoch, 1u) << "not yet";
  terminal.press("p");
  ASSERT_TRUE(terminal.shows("digits was killed")) << terminal.written();
  EXPECT_TRUE(terminal.shows("the operator ended it")) << terminal.written();
  EXPECT_EQ((*system_.status())->partitions[1].epoch, 2u);
  terminal.press("q");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST_F(Top, in_a_pipe_prints_one_plain_frame_with_rates_and_latencies_of_those_who_ask) {
  Witness witness(system_.url());
  ASSERT_TRUE(witness.answered_again());
  const std::string frame = piped("--interval 0.5 --allow-software-root --server " + system_.url());
  EXPECT_EQ(witness.stop(), "");
  EXPECT_TRUE(frame.starts_with("2 of 2 enclaves run in 2 partitions, ")) << frame;
  EXPECT_TRUE(frame.ends_with("\n0\n")) << frame;
  EXPECT_EQ(frame.find('\x1b'), frame.npos);
  EXPECT_TRUE(frame.contains("LATENCY")) << frame;
  const size_t digits = frame.find("\ndigits/1");
  ASSERT_NE(digits, frame.npos) << frame;
  EXPECT_TRUE(frame.substr(digits).contains(" ms ")) << frame;
}

TEST_F(Top, where_no_system_runs_or_its_gateway_is_not_trusted_says_so_and_shows_nothing) {
  const std::string nothing = piped("--once --socket /nowhere/operator");
  EXPECT_EQ(nothing,
            "casemate: /nowhere/operator: nobody answers there; start a system with casemate "
            "serve\n1\n");
  const std::string strict = piped("--once --server " + system_.url());
  EXPECT_TRUE(strict.starts_with("casemate: refused: root.kind: ")) << strict;
  EXPECT_TRUE(piped("--interval nonsense").ends_with("\n2\n"));
}

}  // namespace
}  // namespace casemate::tests
