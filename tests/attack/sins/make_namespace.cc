// SPDX-License-Identifier: Apache-2.0
// Makes new namespaces, in which it would have every capability.
#include <sched.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? "made namespaces" : "";
}

const Register sin("make_namespace", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
