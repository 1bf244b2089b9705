// SPDX-License-Identifier: Apache-2.0
// Attaches to another process.
#include <sys/ptrace.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::ptrace(PTRACE_ATTACH, 1, nullptr, nullptr) == 0 ? "attached to process 1" : "";
}

const Register sin("trace_process", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
