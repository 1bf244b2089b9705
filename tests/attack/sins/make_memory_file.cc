// SPDX-License-Identifier: Apache-2.0
// Makes a memfd, which could be executed or passed on.
#include <sys/mman.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::memfd_create("x", 0) >= 0 ? "made a memfd" : ""; }

const Register sin("make_memory_file", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
