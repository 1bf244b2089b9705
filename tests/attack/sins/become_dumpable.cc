// SPDX-License-Identifier: Apache-2.0
// Makes itself traceable again.
#include <sys/prctl.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::prctl(PR_SET_DUMPABLE, 1) == 0 ? "became dumpable" : ""; }

const Register sin("become_dumpable", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
