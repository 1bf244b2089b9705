// SPDX-License-Identifier: Apache-2.0
// Changes its root folder.
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::chroot("/") == 0 ? "changed root" : ""; }

const Register sin("move_root", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
