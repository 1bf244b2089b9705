// SPDX-License-Identifier: Apache-2.0
#pragma once
// SerialDevice: a Device made of a Machine. It has the handles, limits, queues, fences, counters
// and failures, so that they are the same for all devices whose hardware has none of its own.
//
// Who runs the commands is a choice. kWorkers: each queue has a thread, so that the caller goes on
// and a wait ends at its deadline even when a command does not. kWaiters: whoever waits for a fence
// runs what its queue has, step by step, and there is no thread at all: the same calls do the same
// in the same order each time. A wait makes at least one step, however old its deadline.
//
//   Owns     the machine; each queue its thread.
//   Threads  see driver.h. kWorkers starts one with each queue, never before: a process may fork
//            while it has none.
//   Trust    see driver.h.
//   Fails    see driver.h.

#include "isolated/driver/driver.h"
#include "isolated/driver/serial/machine.h"

namespace casemate::driver {

enum class Runs : uint8_t { kWorkers, kWaiters };

class SerialCore;

class SerialDevice final : public Device {
 public:
  // Requires: the clock outlives it, its queues and its fences.
  SerialDevice(std::unique_ptr<Machine> machine, Runs runs, Clock& clock = system_clock());
  ~SerialDevice() override;

  [[nodiscard]] std::string kind() const override;
  [[nodiscard]] const DeviceLimits& limits() const override;
  [[nodiscard]] DeviceState state() const override;
  [[nodiscard]] Status takes(const engine::Graph& graph, const engine::Node& node) const override;
  Result<Program> compile(const engine::Graph& piece) override;
  void drop(Program program) override;
  Result<std::unique_ptr<Buffer>> make_buffer(uint64_t bytes) override;
  Result<std::unique_ptr<Queue>> make_queue() override;
  Status reset(Instant deadline) override;

 private:
  // Shared with queues, buffers and fences, which may outlive the device.
  std::shared_ptr<SerialCore> core_;
};

}  // namespace casemate::driver
