// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/execution.h"

#include <algorithm>
#include <limits>

#include "base/format.h"

namespace casemate::npu {
namespace {

constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
constexpr std::array<Module, kModules> kAll = {Module::kLoad, Module::kCompute, Module::kStore};

Module previous(Module module) { return static_cast<Module>(static_cast<uint8_t>(module) - 1); }
Module next(Module module) { return static_cast<Module>(static_cast<uint8_t>(module) + 1); }

}  // namespace

Report Execution::run() {
  while (!report_.fault && !finished_) {
    if (!step()) advance();
  }
  report_.counters.cycles = now_;
  return std::move(report_);
}

bool Execution::step() {
  bool active = fetch();
  for (const Module module : kAll) {
    if (report_.fault) return true;
    active |= push(module);
    active |= start(module);
  }
  return active;
}

bool Execution::fetch() {
  bool active = false;
  if (!fetched_ && next_ < job_.instruction_count && fetch_from_ <= now_) {
    const auto bytes = casemate::load<ByteArray<kInstructionBytes>>(
        memory_.subspan(job_.instructions + next_ * kInstructionBytes));
    auto instruction = decode(bytes);
    fetched_ = Command{next_++, {}};
    fetch_from_ = now_ + 1;
    if (!instruction) {
      fail(FaultKind::kIllegalInstruction, *fetched_, std::move(instruction.error().text));
      return true;
    }
    fetched_->instruction = *instruction;
    active = true;
  }
  if (!fetched_) return active;
  auto& queue = unit(module_of(fetched_->instruction)).queue;
  if (queue.size() >= Machine::kCommands) return active;
  queue.push_back(*fetched_);
  fetched_.reset();
  return true;
}

bool Execution::start(Module module) {
  Unit& self = unit(module);
  if (self.state != State::kIdle || self.queue.empty()) return false;
  const Command& command = self.queue.front();
  const Tokens& wanted = command.instruction.tokens;
  // The decoder lets no module wait for a neighbour that it has not.
  if (wanted.pop_previous && tokens(previous(module), true) == 0) return false;
  if (wanted.pop_next && tokens(next(module), false) == 0) return false;
  if (misbehaves(Misbehaviour::Kind::kFault, command.number)) {
    fail(FaultKind::kHardware, command, "the device failed");
    return true;
  }
  if (const auto overreach = core_.check(command.instruction, memory_.size())) {
    fail_beyond(command, *overreach);
    return true;
  }
  if (wanted.pop_previous) --tokens(previous(module), true);
  if (wanted.pop_next) --tokens(next(module), false);
  self.state = State::kWorking;
  self.ends = end_of(command.instruction);
  if (misbehaves(Misbehaviour::Kind::kHang, command.number)) self.ends = kNever;
  if (self.ends <= job_.cycles_max) {
    report_.counters.busy[static_cast<size_t>(module)] += self.ends - now_;
  }
  return true;
}

bool Execution::push(Module module) {
  Unit& self = unit(module);
  if (self.state != State::kPushing) return false;
  const Tokens& given = self.queue.front().instruction.tokens;
  if (given.push_previous && tokens(module, false) >= Machine::kTokens) return false;
  if (given.push_next && tokens(module, true) >= Machine::kTokens) return false;
  if (given.push_previous) ++tokens(module, false);
  if (given.push_next) ++tokens(module, true);
  self.queue.pop_front();
  self.state = State::kIdle;
  ++report_.counters.instructions;
  return true;
}

void Execution::advance() {
  uint64_t event = kNever;
  bool working = false;
  for (const Unit& one : units_) {
    if (one.state != State::kWorking) continue;
    working = true;
    event = std::min(event, one.ends);
  }
  if (!fetched_ && next_ < job_.instruction_count) event = std::min(event, fetch_from_);
  if (event == kNever && !working) return fail_stuck();
  if (event > job_.cycles_max) {
    now_ = job_.cycles_max;
    const auto at = std::ranges::find(units_, State::kWorking, &Unit::state);
    const Command command = at == units_.end() ? Command{next_, {}} : at->queue.front();
    return fail(FaultKind::kCycles, command,
                formatted("its {} cycles were used up", job_.cycles_max));
  }
  now_ = event;
  for (const Module module : kAll) {
    if (unit(module).state == State::kWorking && unit(module).ends == now_) end(module);
  }
}

void Execution::end(Module module) {
  Unit& self = unit(module);
  const Command& command = self.queue.front();
  self.state = State::kPushing;
  count(module, command.instruction);
  switch (command.instruction.opcode) {
    case Opcode::kLoad:
      core_.load(command.instruction.transfer, memory_);
      break;
    case Opcode::kStore:
      store(command);
      break;
    case Opcode::kGemm:
      core_.gemm(command.instruction);
      break;
    case Opcode::kAlu:
      core_.alu(command.instruction);
      break;
    case Opcode::kFinish:
      finish(command);
      break;
  }
}

void Execution::finish(const Command& command) {
  for (const Module other : {Module::kLoad, Module::kStore}) {
    if (!unit(other).queue.empty()) {
      return fail(FaultKind::kUnfinished, command,
                  formatted("the {} module still has work", name_of(other)));
    }
  }
  if (unit(Module::kCompute).queue.size() > 1 || fetched_ || next_ < job_.instruction_count)
    return fail(FaultKind::kUnfinished, command, "instructions follow it");
  finished_ = true;
  ++report_.counters.instructions;
}

void Execution::fail_stuck() {
  for (const Module module : kAll) {
    if (unit(module).queue.empty()) continue;
    const Command& command = unit(module).queue.front();
    const bool full = unit(module).state == State::kPushing;
    return fail(FaultKind::kDeadlock, command,
                formatted("the {} module waits for {} for ever", name_of(module),
                          full ? "room for a token" : "a token"));
  }
  fail(FaultKind::kUnfinished, Command{next_, {}}, "the program ends without FINISH");
}

uint64_t Execution::end_of(const Instruction& i) {
  const uint64_t pipeline = options_.timing.pipeline;
  switch (i.opcode) {
    case Opcode::kLoad:
    case Opcode::kStore:
      return end_of_transfer(i.transfer);
    case Opcode::kGemm:
      return now_ + pipeline + turns(i.sweep);
    // Accumulators have one port for the ALU: a second operand takes a second cycle.
    case Opcode::kAlu:
      return now_ + pipeline + turns(i.sweep) * (i.immediate ? 1 : 2);
    case Opcode::kFinish:
      break;
  }
  return now_ + 1;
}

uint64_t Execution::end_of_transfer(const Transfer& t) {
  const uint64_t elements = device_elements(t);
  const uint64_t padding = buffer_elements(t) - elements;
  if (elements == 0) return now_ + 1 + padding;
  const uint64_t row = uint64_t{t.columns} * element_bytes(t.memory);
  const uint64_t per_cycle = options_.timing.memory_bytes_per_cycle;
  const uint64_t cycles = t.rows * ((row + per_cycle - 1) / per_cycle);
  const uint64_t from = std::max(now_, channel_free_);
  channel_free_ = from + cycles;
  return channel_free_ + options_.timing.memory_latency + padding;
}

void Execution::count(Module module, const Instruction& i) {
  Counters& counters = report_.counters;
  const uint64_t bytes = device_elements(i.transfer) * element_bytes(i.transfer.memory);
  if (i.opcode == Opcode::kLoad) counters.bytes_loaded += bytes;
  if (i.opcode == Opcode::kStore) counters.bytes_stored += bytes;
  if (module != Module::kCompute) return;
  if (i.opcode == Opcode::kGemm && !i.reset) {
    counters.products += turns(i.sweep);
  } else {
    counters.alu_turns += turns(i.sweep);
  }
}

void Execution::store(const Command& command) {
  const Transfer& transfer = command.instruction.transfer;
  core_.store(transfer, memory_);
  const Misbehaviour& m = options_.misbehaviour;
  if (m.kind != Misbehaviour::Kind::kWrongAnswer || answered_wrongly_) return;
  if (command.number < m.instruction || device_elements(transfer) == 0) return;
  memory_[uint64_t{transfer.device} * element_bytes(transfer.memory)] ^= 1;
  answered_wrongly_ = true;
}

bool Execution::misbehaves(Misbehaviour::Kind kind, uint64_t number) const {
  return options_.misbehaviour.kind == kind && options_.misbehaviour.instruction == number;
}

void Execution::fail(FaultKind kind, const Command& command, std::string what, uint64_t address) {
  report_.fault =
      Fault{kind, command.number, address, formatted("instruction {}: {}", command.number, what)};
}

void Execution::fail_beyond(const Command& command, const Overreach& overreach) {
  const std::string text = text_of(command.instruction);
  if (overreach.buffer) {
    return fail(FaultKind::kBuffer, command,
                formatted("{} reaches element {} of the {}, which has {}", text, overreach.address,
                          name_of(*overreach.buffer), capacity(*overreach.buffer)),
                overreach.address);
  }
  fail(FaultKind::kMemory, command,
       formatted("{} reaches byte {} of device memory, which has {}", text, overreach.address,
                 memory_.size()),
       overreach.address);
}

}  // namespace casemate::npu
