// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/machine.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/driver/npu/execution.h"

namespace casemate::npu {
namespace {

Status check_range(uint64_t address, uint64_t size, uint64_t memory_bytes) {
  if (address <= memory_bytes && size <= memory_bytes - address) return {};
  return Error{Code::kInvalid,
               formatted("bytes {} to {} + {} are not in device memory, which has {}", address,
                         address, size, memory_bytes)};
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  constexpr std::array<std::string_view, 7> kNames = {
      "illegal instruction", "memory", "buffer", "deadlock", "unfinished", "cycles", "hardware"};
  return kNames[static_cast<size_t>(kind)];
}

Result<Machine> Machine::make(const MachineOptions& options) {
  if (options.memory_bytes > kMemoryBytesMax) {
    return Error{Code::kTooLarge, formatted("device memory of {} bytes; it can have {}",
                                            options.memory_bytes, kMemoryBytesMax)};
  }
  if (options.timing.memory_bytes_per_cycle == 0)
    return Error{Code::kInvalid, "device memory that moves no bytes in a cycle"};
  return Machine(options);
}

Status Machine::write(uint64_t address, Bytes bytes) {
  TRY(check_range(address, bytes.size(), memory_.size()));
  std::ranges::copy(bytes, memory_.begin() + static_cast<std::ptrdiff_t>(address));
  return {};
}

Status Machine::read(uint64_t address, MutableBytes bytes) const {
  TRY(check_range(address, bytes.size(), memory_.size()));
  std::copy_n(memory_.begin() + static_cast<std::ptrdiff_t>(address), bytes.size(), bytes.begin());
  return {};
}

Result<Report> Machine::run(const Job& job) {
  if (faulted_) return Error{Code::kUnavailable, "the device has a fault; reset it first"};
  if (job.instructions % kInstructionBytes != 0) {
    return Error{Code::kInvalid, formatted("a program at address {}, which is no multiple of {}",
                                           job.instructions, kInstructionBytes)};
  }
  if (job.instruction_count > memory_.size() / kInstructionBytes) {
    return Error{Code::kInvalid, formatted("{} instructions are more than device memory holds",
                                           job.instruction_count)};
  }
  if (job.cycles_max > kCyclesMax) {
    return Error{Code::kTooLarge,
                 formatted("a job of {} cycles; it can have {}", job.cycles_max, kCyclesMax)};
  }
  TRY(check_range(job.instructions, job.instruction_count * kInstructionBytes, memory_.size()));
  Report report = Execution(core_, memory_, options_, job).run();
  faulted_ = report.fault.has_value();
  return report;
}

void Machine::reset() {
  std::ranges::fill(memory_, uint8_t{0});
  core_.scrub();
  faulted_ = false;
}

}  // namespace casemate::npu
