// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/driver.h"

#include <atomic>

#include "base/format.h"

namespace casemate::driver {

uint64_t new_handle() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

std::string text_of(const Device& device) {
  const DeviceLimits& limits = device.limits();
  const DeviceState state = device.state();
  std::string text = formatted("{}: {}\n", device.kind(),
                               state.health == Health::kWell ? "well" : "failed: " + state.reason);
  text += formatted("  memory   {} of {} bytes, in {} buffers and {} programs\n",
                    state.memory_bytes, limits.memory_bytes, state.buffers, state.programs);
  text += formatted("  queues   {} of {}, {} commands each\n", state.queues, limits.queues_max,
                    limits.commands_max);
  text +=
      formatted("  so far   {} commands in {} steps, {:.3f} s; {} bytes in, {} out; {} resets\n",
                state.commands, state.steps, std::chrono::duration<double>(state.busy).count(),
                state.bytes_written, state.bytes_read, state.epoch);
  return text;
}

}  // namespace casemate::driver
