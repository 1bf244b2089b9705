// SPDX-License-Identifier: Apache-2.0
#include "base/lockdown/lockdown.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace casemate::lockdown {
namespace {

// How a child ended that ran `body`: its exit code, or 1000 + the signal.
int outcome(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

constexpr int kKilled = 1000 + SIGSYS;

int behind(Filter filter, const std::function<int()>& body) {
  return outcome([&] {
    if (!forbid_new_privileges() || !apply(filter)) return 99;
    return body();
  });
}

TEST(Lockdown, a_filter_leaves_what_its_policy_names) {
  for (const Filter filter : {Filter::kMos, Filter::kTemplate, Filter::kSealed, Filter::kModel,
                              Filter::kGateway, Filter::kInspect, Filter::kReader}) {
    EXPECT_EQ(behind(filter, [] { return static_cast<int>(::write(2, "", 0)); }), 0);
  }
}

TEST(Lockdown, executable_memory_is_deadly_once_a_template_is_sealed) {
  const auto map = [] {
    return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? 1
               : 0;
  };
  EXPECT_EQ(behind(Filter::kTemplate, map), 0);
  for (const Filter filter : {Filter::kMos, Filter::kSealed, Filter::kModel, Filter::kGateway}) {
    EXPECT_EQ(behind(filter, map), kKilled);
  }
  const auto protect = [] {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
  };
  EXPECT_EQ(behind(Filter::kModel, protect), kKilled);
}

TEST(Lockdown, opening_connecting_and_executing_are_deadly_in_an_instance) {
  for (const Filter filter : {Filter::kModel, Filter::kGateway, Filter::kSealed, Filter::kMos}) {
    EXPECT_EQ(behind(filter, [] { return ::open("/dev/null", O_RDONLY); }), kKilled);
    EXPECT_EQ(behind(filter, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }), kKilled);
    EXPECT_EQ(behind(filter, [] { return ::execl("/bin/true", "true", nullptr); }), kKilled);
    EXPECT_EQ(behind(filter, [] { return static_cast<int>(::fork()); }), kKilled);
    EXPECT_EQ(behind(filter, [] { return static_cast<int>(::syscall(SYS_ptrace, 0, 0, 0, 0)); }),
              kKilled);
  }
}

TEST(Lockdown, who_inspects_a_model_opens_nothing_and_starts_nothing) {
  const auto refused = [](int result) { return result < 0 ? 0 : 1; };
  EXPECT_EQ(behind(Filter::kInspect, [&] { return refused(::open("/dev/null", O_RDONLY)); }), 0);
  for (const Filter filter : {Filter::kInspect, Filter::kReader}) {
    EXPECT_EQ(behind(filter, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }), kKilled);
    EXPECT_EQ(behind(filter, [] { return ::execl("/bin/true", "true", nullptr); }), kKilled);
    EXPECT_EQ(behind(filter, [] { return static_cast<int>(::fork()); }), kKilled);
    EXPECT_EQ(behind(filter, [] { return ::kill(::getppid(), 0); }), kKilled);
    EXPECT_EQ(behind(filter, [] { return ::unlink("/nowhere"); }), kKilled);
  }
}

// By the filter, or by a kernel that has none of them.
TEST(Lockdown, thirty_two_bit_calls_are_deadly) {
  const int end = behind(Filter::kModel, [] {
    int pid = 0;
    asm volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory");  // getpid of i386
    return 0;
  });
  EXPECT_TRUE(end == kKilled || end == 1000 + SIGSEGV) << end;
}

TEST(Lockdown, capabilities_do_not_come_back) {
  EXPECT_EQ(outcome([] {
              if (!drop_capabilities()) return 1;
              return ::prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 0 && ::sethostname("x", 1) != 0 ? 0
                                                                                             : 2;
            }),
            0);
}

TEST(Lockdown, files_outside_the_folder_cannot_be_opened) {
  constexpr int kNoLandlock = 77;
  const int end = outcome([] {
    if (!forbid_new_privileges()) return 1;
    const auto abi = restrict_files("/usr");
    if (!abi) return 2;
    if (*abi == 0) return kNoLandlock;
    if (::open("/etc/passwd", O_RDONLY) >= 0) return 3;
    if (::open("/usr/new-file", O_CREAT | O_WRONLY, 0600) >= 0) return 4;
    return ::open("/usr/bin", O_RDONLY | O_DIRECTORY) >= 0 ? 0 : 5;
  });
  if (end == kNoLandlock) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(end, 0);
}

TEST(Lockdown, without_a_folder_no_file_can_be_opened_at_all) {
  constexpr int kNoLandlock = 77;
  const int end = outcome([] {
    if (!forbid_new_privileges()) return 1;
    const auto abi = restrict_files(nullptr);
    if (!abi) return 2;
    if (*abi == 0) return kNoLandlock;
    if (::open("/dev/null", O_RDONLY) >= 0) return 3;
    return ::open("/usr/bin", O_RDONLY | O_DIRECTORY) >= 0 ? 4 : 0;
  });
  if (end == kNoLandlock) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(end, 0);
}

}  // namespace
}  // namespace casemate::lockdown
