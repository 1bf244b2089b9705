// SPDX-License-Identifier: Apache-2.0
// Opens a file. An instance may open nothing at all.
#include <fcntl.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::open("/etc/passwd", O_RDONLY) >= 0 ? "opened /etc/passwd" : ""; }

const Register sin("read_host_file", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
