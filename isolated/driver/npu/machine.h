// SPDX-License-Identifier: Apache-2.0
#pragma once
// A VTA-class inference accelerator, simulated: what its programs compute, bit for bit, and how
// many cycles they take.
//
//                      ┌────────── device memory ──────────┐
//      instructions │  │ inputs,       │ micro-ops,        ▲ accumulators,
//                   ▼  ▼ weights       ▼ accumulators      │ outputs
//                 fetch ─► [queue] load ──data──► [queue] compute ──done──► [queue] store
//                                       ◄─room──                  ◄─room──
//
// The modules run their instructions in order and beside each other; tokens order them against
// their neighbours. Time is that of an event simulation: what an instruction does happens when it
// ends, so a program without the tokens that it needs gets wrong results, as on hardware. The cycle
// model and its sources are in README.md. The device fails as devices do, if told to.
//
//   Owns     device memory and the state of the chip.
//   Threads  one. run() returns when the job has ended or its cycles have.
//   Trust    device memory, and so every instruction, comes from an attacker: whatever it says, a
//            job ends in a report within its cycles and reaches no memory but the device's own.
//   Fails    make with kTooLarge; read and write beyond the memory with kInvalid. A job's faults
//            are in its report; after one, the device takes no job (kUnavailable) until reset().

#include <optional>
#include <string>
#include <vector>

#include "isolated/driver/npu/core.h"

namespace casemate::npu {

// What the cycle model leaves open.
struct Timing {
  uint32_t memory_latency = 64;          // cycles until a transfer's first bytes are there
  uint32_t memory_bytes_per_cycle = 16;  // of one channel that all modules share
  uint32_t pipeline = 8;                 // cycles until a sweep's first result is written
};

// What a device may do besides its work.
struct Misbehaviour {
  enum class Kind : uint8_t { kNone, kHang, kWrongAnswer, kFault };
  Kind kind = Kind::kNone;
  // The instruction that never ends or faults; a wrong answer is the first store from there on.
  uint64_t instruction = 0;
};

struct MachineOptions {
  uint64_t memory_bytes = 64ull << 20;
  Timing timing;
  Misbehaviour misbehaviour;
};

enum class FaultKind : uint8_t {
  kIllegalInstruction,
  kMemory,      // beyond device memory
  kBuffer,      // beyond a buffer
  kDeadlock,    // modules wait for tokens or room that nobody will give
  kUnfinished,  // the program ended without FINISH, or FINISH came while modules worked
  kCycles,      // its cycles are used up: an endless program, or a device that hangs
  kHardware,    // the device failed
};
std::string_view name_of(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kHardware;
  uint64_t instruction = 0;  // its number in the program
  uint64_t address = 0;      // of kMemory, in bytes; of kBuffer, in elements
  std::string text;
};

// What a job did until its end.
struct Counters {
  uint64_t cycles = 0;
  uint64_t instructions = 0;                 // ended
  std::array<uint64_t, kModules> busy = {};  // cycles that each module worked
  uint64_t products = 0;                     // turns of the matrix unit: 256 multiplications each
  uint64_t alu_turns = 0;                    // of the ALU, and resets
  uint64_t bytes_loaded = 0;
  uint64_t bytes_stored = 0;

  // The part of the cycles in which the matrix unit multiplied.
  [[nodiscard]] double utilisation() const {
    return cycles == 0 ? 0 : static_cast<double>(products) / static_cast<double>(cycles);
  }
};

struct Report {
  Counters counters;
  std::optional<Fault> fault;
};

struct Job {
  uint64_t instructions = 0;  // their address in device memory, a multiple of 16
  uint64_t instruction_count = 0;
  uint64_t cycles_max = 0;
};

class Machine final {
 public:
  // As many commands as VTA's queues hold, and tokens likewise.
  static constexpr size_t kCommands = 512;
  static constexpr uint32_t kTokens = 512;
  static constexpr uint64_t kMemoryBytesMax = 4ull << 30;
  static constexpr uint64_t kCyclesMax = 1ull << 40;  // of a job: 55 minutes at 333 MHz

  // A device that is reset.
  static Result<Machine> make(const MachineOptions& options);

  Status write(uint64_t address, Bytes bytes);
  Status read(uint64_t address, MutableBytes bytes) const;

  // Runs a program to its end. The buffers are as the last job left them: whoever lends the device
  // to somebody else resets it before.
  Result<Report> run(const Job& job);

  // Makes all memory zero and ends a fault.
  void reset();

  [[nodiscard]] bool faulted() const { return faulted_; }
  [[nodiscard]] uint64_t memory_bytes() const { return memory_.size(); }
  [[nodiscard]] const Core& core() const { return core_; }

 private:
  explicit Machine(const MachineOptions& options)
      : options_(options), memory_(options.memory_bytes) {}

  MachineOptions options_;
  std::vector<uint8_t> memory_;
  Core core_;
  bool faulted_ = false;
};

}  // namespace casemate::npu
