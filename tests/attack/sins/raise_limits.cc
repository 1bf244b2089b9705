// SPDX-License-Identifier: Apache-2.0
// Raises its own resource limits.
#include <sys/resource.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  const rlimit limit{1 << 20, 1 << 20};
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? "raised a limit" : "";
}

const Register sin("raise_limits", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
