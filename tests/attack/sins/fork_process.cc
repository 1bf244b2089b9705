// SPDX-License-Identifier: Apache-2.0
// Forks.
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::fork() >= 0 ? "forked" : ""; }

const Register sin("fork_process", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
