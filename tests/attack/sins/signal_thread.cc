// SPDX-License-Identifier: Apache-2.0
// Sends a signal to a thread of another process.
#include <sys/syscall.h>
#include <unistd.h>
#include <csignal>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::syscall(SYS_tgkill, 2, 2, SIGKILL) == 0 ? "killed thread 2" : ""; }

const Register sin("signal_thread", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
