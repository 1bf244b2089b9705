// SPDX-License-Identifier: Apache-2.0
// Opens a performance counter on other processes, a side channel.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  char attributes[128] = {};
  return ::syscall(SYS_perf_event_open, attributes, -1, 0, -1, 0) >= 0 ? "opened a counter" : "";
}

const Register sin("open_perf_event", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
