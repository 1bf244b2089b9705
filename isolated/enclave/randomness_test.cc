// SPDX-License-Identifier: Apache-2.0
#include "isolated/enclave/randomness.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/crypto.h"
#include "base/fd.h"

namespace casemate::enclave {
namespace {

// 0, or the step that did not work.
int tell_key(int to) {
  const auto key = SigningKey::generate();
  if (!key) return 2;
  const Sha256Digest digest = sha256(key->public_der());
  return ::write(to, digest.data(), digest.size()) == static_cast<ssize_t>(digest.size()) ? 0 : 3;
}

// What becomes of `body` in a process that is the first of a PID namespace of its own. Fork
// handlers do not run, as they do not for an instance.
template <class Body>
int apart(unsigned long spaces, Body body) {
  const long child = ::syscall(SYS_clone, spaces | SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (child == 0) ::_exit(::getpid() == 1 ? body() : 4);
  int status = 0;
  if (child < 0) return 5;
  ::waitpid(static_cast<pid_t>(child), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 6;
}

TEST(Randomness, renewed_by_two_instances_of_a_template_that_has_drawn_makes_two_keys) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const int done = apart(CLONE_NEWUSER | CLONE_NEWPID, [&] {
    if (const int failed = tell_key(to.number()); failed != 0) return failed;
    for (int i = 0; i < 2; ++i) {
      const int failed =
          apart(CLONE_NEWPID, [&] { return renew_randomness() ? tell_key(to.number()) : 7; });
      if (failed != 0) return failed;
    }
    return 0;
  });
  if (done == 5) GTEST_SKIP() << "this user gets no namespaces";
  ASSERT_EQ(done, 0);
  to.reset();
  Sha256Digest keys[3]{};
  for (Sha256Digest& key : keys)
    ASSERT_EQ(::read(from.number(), key.data(), key.size()), static_cast<ssize_t>(key.size()));
  EXPECT_NE(keys[1], keys[2]);
  EXPECT_NE(keys[0], keys[1]);
  EXPECT_NE(keys[0], keys[2]);
}

}  // namespace
}  // namespace casemate::enclave
