// SPDX-License-Identifier: Apache-2.0
#include "base/memory_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/memfd.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sys/stat.h>
#include <cerrno>
#include <cstddef>
#include <iterator>

namespace casemate {
namespace {

// From here on memfd_create() refuses MFD_NOEXEC_SEAL as a kernel does that does not know it.
bool become_an_older_kernel() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MFD_NOEXEC_SEAL, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool makes_a_file_that_can_be_sealed() {
  const auto fd = make_memory_file("test");
  return fd && ::ftruncate(fd->number(), 4096) == 0 &&
         ::fcntl(fd->number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 &&
         ::ftruncate(fd->number(), 0) != 0;
}

TEST(MemoryFile, can_be_sealed_and_not_be_made_executable) {
  EXPECT_TRUE(makes_a_file_that_can_be_sealed());
  const auto fd = make_memory_file("test");
  ASSERT_TRUE(fd);
  const int seals = ::fcntl(fd->number(), F_GET_SEALS);
  ASSERT_GE(seals, 0);
  if ((seals & F_SEAL_EXEC) == 0) GTEST_SKIP() << "this kernel is older than 6.3";
  EXPECT_NE(::fchmod(fd->number(), 0700), 0);
}

TEST(MemoryFile, is_made_on_a_kernel_that_does_not_know_the_seal) {
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(!become_an_older_kernel() ? 2 : makes_a_file_that_can_be_sealed() ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "this kernel takes no filter";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace casemate
