// SPDX-License-Identifier: Apache-2.0
#pragma once
// CHECK: a bug stops the process. Never reachable from input: what a peer, a file or a user can
// cause is a Result (base/result.h). The monitor restarts what died; a process that goes on after a
// broken invariant is worse than one that is gone.

namespace casemate {

// Prints `file:line: condition: why` to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why);

}  // namespace casemate

#define CHECK(condition, why)                                        \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::casemate::check_failed(__FILE__, __LINE__, #condition, why); \
  } while (false)
