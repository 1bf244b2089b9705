// SPDX-License-Identifier: Apache-2.0
// Uses clone3, whose flags no filter can see; answered with ENOSYS because glibc probes it.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  unsigned long arguments[11] = {};
  return ::syscall(SYS_clone3, arguments, sizeof arguments) >= 0 ? "cloned" : "";
}

const Register sin("clone3_process", End::kRefused, commit);

}  // namespace
}  // namespace casemate::fixture
