// SPDX-License-Identifier: Apache-2.0
#pragma once
// Machine: what a device that does one thing after the other has to say for itself; SerialDevice
// makes the rest of a Device out of it. A command is run in steps, and between two of them it can
// be given up: a long one has several.
//
//   Owns     its memory, as Memory and MachineCode that it hands out.
//   Threads  any number at a time, each with a command, or pieces, of its own.
//   Trust    operands are inside their memory and fit the program.
//   Fails    advance() with kPlatform when the device is broken, and until reset(); otherwise with
//            what the command is refused for.

#include <memory>
#include <string>

#include "isolated/driver/driver.h"

namespace casemate::driver {

// Bytes of the machine, or what it made of a piece. Gives them back when it goes.
class Memory {
 public:
  Memory() = default;
  virtual ~Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
};

class MachineCode {
 public:
  MachineCode() = default;
  virtual ~MachineCode() = default;
  MachineCode(const MachineCode&) = delete;
  MachineCode& operator=(const MachineCode&) = delete;
  [[nodiscard]] virtual uint64_t bytes() const = 0;  // of the machine's memory
};

// What a machine keeps of a command between its steps.
class Unfinished {
 public:
  Unfinished() = default;
  virtual ~Unfinished() = default;
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
};

// Part of a buffer.
struct Part {
  Memory* memory = nullptr;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct Command {
  enum class Kind : uint8_t { kWrite, kRun, kRead };
  Kind kind = Kind::kWrite;
  uint64_t number = 0;  // in the order in which the device was given them, from 1
  uint64_t steps = 0;   // that were made already
  // kWrite: one output, and where it comes from. kRead: one input, and where it goes.
  std::vector<Part> inputs = {};
  std::vector<Part> outputs = {};
  Bytes from = {};
  MutableBytes to = {};
  MachineCode* code = nullptr;  // of kRun
  std::unique_ptr<Unfinished> unfinished = {};
  bool hangs = false;  // set by a machine that makes no more steps of it
};

class Machine {
 public:
  Machine() = default;
  virtual ~Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  [[nodiscard]] virtual std::string kind() const = 0;
  [[nodiscard]] virtual const DeviceLimits& limits() const = 0;
  [[nodiscard]] virtual Status takes(const engine::Graph& graph,
                                     const engine::Node& node) const = 0;
  // Zeros. Fails with kUnavailable when there is no such room.
  virtual Result<std::unique_ptr<Memory>> allocate(uint64_t bytes) = 0;
  // Requires: takes() each node.
  virtual Result<std::unique_ptr<MachineCode>> compile(const engine::Graph& piece,
                                                       uint64_t bytes_max) = 0;
  // One step of a command. True: it was the last.
  virtual Result<bool> advance(Command& command) = 0;
  // Nothing runs, and nothing that it handed out is left.
  virtual Status reset() = 0;
};

}  // namespace casemate::driver
