// SPDX-License-Identifier: Apache-2.0
// Makes a userfaultfd, with which kernel races are won.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::syscall(SYS_userfaultfd, 0) >= 0 ? "made a userfaultfd" : ""; }

const Register sin("use_userfaultfd", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
