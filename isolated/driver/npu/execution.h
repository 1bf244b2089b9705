// SPDX-License-Identifier: Apache-2.0
#pragma once
// One job on the accelerator, from event to event: who runs what from when to when.
//
//   Owns     queues, tokens and counters of the job.
//   Threads  one.
//   Trust    as machine.h says: each instruction is copied once from device memory, and the copy is
//            checked before it has an effect.
//   Fails    through the report. Each step of the simulation either starts, ends or fetches
//            something or ends the job, and time only grows, up to the job's cycles.

#include <deque>

#include "isolated/driver/npu/machine.h"

namespace casemate::npu {

class Execution final {
 public:
  Execution(Core& core, MutableBytes memory, const MachineOptions& options, const Job& job)
      : core_(core), memory_(memory), options_(options), job_(job) {}

  Report run();

 private:
  struct Command {
    uint64_t number = 0;
    Instruction instruction;
  };
  enum class State : uint8_t { kIdle, kWorking, kPushing };
  struct Unit {
    std::deque<Command> queue;  // what it works on stands at the front until it has pushed tokens
    State state = State::kIdle;
    uint64_t ends = 0;
  };

  // What can happen in this cycle; false: nothing.
  bool step();
  bool fetch();
  bool start(Module module);
  bool push(Module module);
  // Time goes on until something ends or can be fetched; a fault if nothing ever will.
  void advance();
  void end(Module module);
  void finish(const Command& command);

  [[nodiscard]] uint64_t end_of(const Instruction& instruction);
  [[nodiscard]] uint64_t end_of_transfer(const Transfer& transfer);
  void count(Module module, const Instruction& instruction);
  void store(const Command& command);
  [[nodiscard]] bool misbehaves(Misbehaviour::Kind kind, uint64_t number) const;
  void fail(FaultKind kind, const Command& command, std::string what, uint64_t address = 0);
  void fail_beyond(const Command& command, const Overreach& overreach);
  void fail_stuck();

  [[nodiscard]] Unit& unit(Module module) { return units_[static_cast<size_t>(module)]; }
  // Tokens on their way from a module to a neighbour.
  [[nodiscard]] uint32_t& tokens(Module from, bool to_next) {
    return tokens_[static_cast<size_t>(from)][to_next ? 1 : 0];
  }

  Core& core_;
  MutableBytes memory_;
  const MachineOptions& options_;
  const Job& job_;
  std::array<Unit, kModules> units_;
  std::array<std::array<uint32_t, 2>, kModules> tokens_ = {};
  std::optional<Command> fetched_;  // waits for room in its queue
  uint64_t next_ = 0;               // number of the instruction to fetch
  uint64_t fetch_from_ = 0;         // the cycle from which it can be
  uint64_t channel_free_ = 0;       // the cycle from which device memory takes a transfer
  uint64_t now_ = 0;
  bool answered_wrongly_ = false;
  bool finished_ = false;
  Report report_;
};

}  // namespace casemate::npu
