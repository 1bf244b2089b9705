// SPDX-License-Identifier: Apache-2.0
// Becomes another user.
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::setuid(1) == 0 ? "became user 1" : ""; }

const Register sin("change_user", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
