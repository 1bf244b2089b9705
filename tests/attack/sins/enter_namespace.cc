// SPDX-License-Identifier: Apache-2.0
// Enters the namespaces behind a descriptor that it holds.
#include <sched.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::setns(3, 0) == 0 ? "entered a namespace" : ""; }

const Register sin("enter_namespace", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
