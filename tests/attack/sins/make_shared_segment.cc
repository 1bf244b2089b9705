// SPDX-License-Identifier: Apache-2.0
// Makes a System V shared segment, which would outlive it.
#include <sys/shm.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) >= 0 ? "made a segment" : "";
}

const Register sin("make_shared_segment", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
