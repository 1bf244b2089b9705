// SPDX-License-Identifier: Apache-2.0
// Opens its own memory through /proc, which would get around page protection.
#include <fcntl.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::open("/proc/self/mem", O_RDWR) >= 0 ? "opened /proc/self/mem" : "";
}

const Register sin("read_proc_mem", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
