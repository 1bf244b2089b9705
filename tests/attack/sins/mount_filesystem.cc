// SPDX-License-Identifier: Apache-2.0
// Mounts /proc.
#include <sys/mount.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::mount("proc", "/", "proc", 0, nullptr) == 0 ? "mounted proc" : ""; }

const Register sin("mount_filesystem", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
