// SPDX-License-Identifier: Apache-2.0
// SAFETY: the heartbeat is one aligned 64-bit counter at the start of a page that the monitor
// reads.
#include <atomic>

#include "isolated/mos/mos.h"

namespace casemate::mos {

void Mos::beat() {
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(heartbeat_.data()))
      .fetch_add(1, std::memory_order_relaxed);
}

}  // namespace casemate::mos
