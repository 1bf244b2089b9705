// SPDX-License-Identifier: Apache-2.0
// Makes memory that it wrote executable.
#include <sys/mman.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? "made code" : "";
}

const Register sin("protect_executable", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
