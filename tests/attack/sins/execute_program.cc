// SPDX-License-Identifier: Apache-2.0
// Executes its own program again, to get its start filter back.
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::execl("/bin/casemate-fixture", "gateway", nullptr) == 0 ? "executed" : "";
}

const Register sin("execute_program", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
