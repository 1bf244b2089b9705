// SPDX-License-Identifier: Apache-2.0
// Sets up io_uring, whose operations no filter sees.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  char parameters[256] = {};
  return ::syscall(SYS_io_uring_setup, 8, parameters) >= 0 ? "set up io_uring" : "";
}

const Register sin("use_io_uring", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
