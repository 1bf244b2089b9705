// SPDX-License-Identifier: Apache-2.0
// Switches address randomisation off.
#include <sys/personality.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::personality(ADDR_NO_RANDOMIZE) >= 0 ? "changed personality" : ""; }

const Register sin("change_personality", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
