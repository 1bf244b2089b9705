// SPDX-License-Identifier: Apache-2.0
// Maps memory that is writable and executable.
#include <sys/mman.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED
             ? "mapped code"
             : "";
}

const Register sin("map_executable", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
