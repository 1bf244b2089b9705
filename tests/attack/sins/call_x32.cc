// SPDX-License-Identifier: Apache-2.0
// Uses the x32 numbering of system calls.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::syscall(0x40000000 + SYS_getpid) >= 0 ? "called through x32" : ""; }

const Register sin("call_x32", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
