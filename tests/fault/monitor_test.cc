// SPDX-License-Identifier: Apache-2.0
// The end of the monitor is the end of everything, however it comes; and nobody who talks to it
// badly keeps it from others.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <vector>

#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;

size_t living(const std::vector<pid_t>& pids) {
  return static_cast<size_t>(std::ranges::count_if(pids, alive));
}

class MonitorEnd : public testing::TestWithParam<int> {};

TEST_P(MonitorEnd, ends_every_process_and_mount) {
  const size_t mounts = holdings_of(::getpid()).mounts;
  SmallSystem system({{"one", "p1"}, {"two", "p2"}});
  ASSERT_TRUE(system.answers("one") && system.answers("two") && system.settled());
  std::vector<pid_t> everybody;
  eventually([&] { return (everybody = descendants(system.monitor())).size() >= 21; });
  ASSERT_EQ(everybody.size(), 21u)
      << "a runtime, a template, an instance and the next one of each partition, and all but the "
         "instance again";
  // Busy ones too: their ends are no more polite than that of others.
  ASSERT_EQ(code_from(system.ask("one", Call::kWrite, "", 0).code), Code::kTimedOut);
  system.stop(GetParam());
  EXPECT_TRUE(eventually([&] { return living(everybody) == 0; })) << living(everybody);
  EXPECT_EQ(holdings_of(::getpid()).mounts, mounts);
}

INSTANTIATE_TEST_SUITE_P(By, MonitorEnd, testing::Values(SIGTERM, SIGINT, SIGKILL, SIGSEGV),
                         [](const auto& signal) {
                           return std::string(::sigabbrev_np(signal.param));
                         });

TEST(Monitor, that_is_told_to_stop_removes_its_cgroups_and_says_so) {
  SmallSystem system({{"one", "p1"}, {"two", "p2"}});
  ASSERT_TRUE(system.answers("one") && system.answers("two"));
  const pid_t monitor = system.monitor();
  const int status = system.stop(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(groups_of(monitor), std::vector<std::string>());
}

TEST(Monitor, that_was_killed_is_swept_up_after_by_the_next_which_spares_the_living) {
  SmallSystem living({{"one", "p1"}});
  SmallSystem killed({{"one", "p1"}});
  ASSERT_TRUE(living.answers("one") && killed.answers("one"));
  ASSERT_TRUE(living.settled() && killed.settled());
  const pid_t monitor = killed.monitor();
  const auto left = descendants(monitor);
  const auto groups = groups_of(living.monitor());
  if (groups.empty()) GTEST_SKIP() << "no cgroup can be written here, so none is left";
  killed.stop(SIGKILL);
  ASSERT_TRUE(eventually([&] { return tests::living(left) == 0; }));
  // Any other system that starts on this machine may sweep them before `next` does.
  SmallSystem next({{"one", "p1"}});
  ASSERT_TRUE(next.answers("one"));
  EXPECT_EQ(groups_of(monitor), std::vector<std::string>());
  EXPECT_EQ(groups_of(living.monitor()), groups);
  EXPECT_TRUE(living.answers("one"));
}

TEST(Monitor, makes_room_for_as_many_descriptors_as_its_system_needs) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{56, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  SmallSystem system({{"one", "p1"}, {"two", "p2"}, {"three", "p3"}, {"four", "p4"}});
  ::setrlimit(RLIMIT_NOFILE, &before);
  for (const char* model : {"one", "two", "three", "four"})
    EXPECT_TRUE(system.answers(model)) << model;
  EXPECT_GT(holdings_of(system.monitor()).descriptors, few.rlim_cur) << "else this proves nothing";
}

class Operators : public testing::Test {
 protected:
  Fd connection() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    system_.socket().copy(address.sun_path, sizeof address.sun_path - 1);
    Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int refused = ::connect(fd.number(), static_cast<sockaddr*>(static_cast<void*>(&address)),
                                  sizeof address);
    // A full backlog is what a flood is about.
    EXPECT_TRUE(refused == 0 || errno == EAGAIN);
    return fd;
  }
  static void say(const Fd& fd, Bytes words) {
    ::send(fd.number(), words.data(), words.size(), MSG_NOSIGNAL);
  }

  void SetUp() override { ASSERT_TRUE(system_.answers("one")); }
  void TearDown() override {
    EXPECT_EQ(system_.status().partition_count, 2u);
    EXPECT_TRUE(system_.answers("one"));
    EXPECT_EQ(system_.partition("p1").epoch, 1u);
    EXPECT_EQ(system_.partition("driver").epoch, 1u);
  }

  SmallSystem system_{{{"one", "p1"}}};
};

TEST_F(Operators, who_say_nothing_keep_nobody_waiting) {
  std::vector<Fd> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(connection());
  EXPECT_EQ(system_.status().partition_count, 2u);
}

TEST_F(Operators, who_say_half_or_too_much_or_nonsense_are_not_obeyed) {
  operating::Request stop;
  stop.command = static_cast<uint32_t>(operating::Command::kStop);
  const Bytes whole = bytes_of(stop);
  std::vector<Fd> talkers;
  for (const size_t size : {size_t{1}, whole.size() / 2, whole.size() - 1}) {
    talkers.push_back(connection());
    say(talkers.back(), whole.first(size));
    EXPECT_EQ(system_.status().partition_count, 2u) << size;
  }
  for (const uint8_t byte : std::initializer_list<uint8_t>{0x00, 0xFF, 0x41}) {
    talkers.push_back(connection());
    say(talkers.back(), std::vector<uint8_t>(whole.size(), byte));
    talkers.push_back(connection());
    say(talkers.back(), std::vector<uint8_t>(100'000, byte));
  }
  std::vector<uint8_t> longer(whole.begin(), whole.end());
  longer.push_back(0);
  talkers.push_back(connection());
  say(talkers.back(), longer);
  EXPECT_EQ(system_.status().partition_count, 2u);
}

TEST_F(Operators, who_do_not_take_their_answers_cost_nothing) {
  const size_t before = calm_holdings_of(system_.monitor()).descriptors;
  operating::Request status;
  status.command = static_cast<uint32_t>(operating::Command::kStatus);
  std::vector<Fd> deaf;
  for (int i = 0; i < 200; ++i) {
    deaf.push_back(connection());
    say(deaf.back(), bytes_of(status));
  }
  EXPECT_EQ(system_.status().partition_count, 2u);
  EXPECT_TRUE(eventually([&] { return holdings_of(system_.monitor()).descriptors == before; }));
}

}  // namespace
}  // namespace casemate::tests
