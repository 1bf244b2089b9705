// SPDX-License-Identifier: Apache-2.0
// Writes another process's memory without attaching.
#include <sys/uio.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  char byte = 0;
  iovec here{&byte, 1};
  iovec there{&byte, 1};
  return ::process_vm_writev(1, &here, 1, &there, 1, 0) == 1 ? "wrote process 1" : "";
}

const Register sin("write_process_memory", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
