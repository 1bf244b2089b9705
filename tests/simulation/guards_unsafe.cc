// SPDX-License-Identifier: Apache-2.0
// SAFETY: as wire/ring/guard_unsafe.cc, which this is. Entries are cleared after their process has
// run for the last time.
//
// The product's guard of memory that may vanish, and what a process that dies takes along: its
// entries in the table, which here is that of all processes.
#include "wire/ring/guard_unsafe.cc"

#include "tests/simulation/machine.h"

namespace casemate::simulation {

void forget_guards(uintptr_t begin, uintptr_t end) {
  for (Range& range : ranges) {
    const uintptr_t at = range.begin.load();
    if (at >= begin && at < end) range.begin.store(0);
  }
}

}  // namespace casemate::simulation
