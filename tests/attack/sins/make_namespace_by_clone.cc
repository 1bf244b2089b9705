// SPDX-License-Identifier: Apache-2.0
// Makes namespaces with the very flags that a template's filter lets through.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::syscall(SYS_clone, 0x7e020011, nullptr, nullptr, nullptr, 0) >= 0 ? "made namespaces"
                                                                             : "";
}

const Register sin("make_namespace_by_clone", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
