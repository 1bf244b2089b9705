// SPDX-License-Identifier: Apache-2.0
// Takes a descriptor out of another process.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::syscall(SYS_pidfd_getfd, 3, 0, 0) >= 0 ? "stole a descriptor" : "";
}

const Register sin("steal_descriptor", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
