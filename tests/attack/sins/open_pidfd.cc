// SPDX-License-Identifier: Apache-2.0
// Opens a handle on another process.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::syscall(SYS_pidfd_open, 1, 0) >= 0 ? "opened a pidfd" : ""; }

const Register sin("open_pidfd", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
