// SPDX-License-Identifier: Apache-2.0
#include "examples/new_driver/new_driver.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/format.h"
#include "isolated/driver/serial/serial.h"

namespace casemate::driver {
namespace {

using engine::ValueId;
using Floats = std::vector<float>;

// 1. Memory: bytes of the device. A real driver has an address on the device here, and a
//    destructor that gives it back. It must be zeroed when it is handed out.
struct AbacusMemory final : Memory {
  explicit AbacusMemory(uint64_t bytes) : all(bytes) {}
  std::vector<uint8_t> all;
};

MutableBytes bytes_of_part(const Part& part) {
  auto& memory = static_cast<AbacusMemory&>(*part.memory);
  return MutableBytes(memory.all).subspan(part.offset, part.bytes);
}

// 2. Code: what the device runs for a piece of a graph: here, one instruction for each node, on
//    registers that are numbered as the piece's values are.
struct Instruction {
  bool add;  // else it rectifies, and there is no b
  uint32_t a, b, out;
};

struct AbacusCode final : MachineCode {
  [[nodiscard]] uint64_t bytes() const override {
    uint64_t sum = instructions.size() * sizeof(Instruction);
    for (const auto& [id, values] : constants) sum += values.size() * sizeof(float);
    return sum;
  }
  std::vector<Instruction> instructions;
  std::map<uint32_t, Floats> constants;
  std::vector<uint32_t> inputs;
  std::vector<uint32_t> outputs;
};

// 3. What a command keeps between its steps.
struct AbacusRun final : Unfinished {
  std::map<uint32_t, Floats> registers;
};

// 4. The machine: what it takes, what it makes of a piece, and one step of a command.
class Abacus final : public Machine {
 public:
  explicit Abacus(uint64_t memory_bytes)
      : limits_{.memory_bytes = memory_bytes,
                .buffer_bytes_max = memory_bytes,
                .alignment = sizeof(float),
                .buffers_max = 1024,
                .programs_max = 64,
                .queues_max = 4,
                .commands_max = 64} {}

  [[nodiscard]] std::string kind() const override { return "abacus"; }
  [[nodiscard]] const DeviceLimits& limits() const override { return limits_; }

  // Everything else goes to another device: the graph is cut by these answers. The reason is for
  // people.
  [[nodiscard]] Status takes(const engine::Graph& graph, const engine::Node& node) const override {
    const auto refused = [&](std::string_view why) {
      return Error{Code::kUnsupported, formatted("node '{}' ({}): {}", node.name, node.op, why)};
    };
    if (node.op != "Add" && node.op != "Relu") return refused("an abacus adds and rectifies");
    if (!node.post_ops.empty()) return refused("an abacus runs no fused operators");
    const engine::Value& out = graph.value(node.output());
    for (const ValueId id : node.inputs) {
      const engine::Value& in = graph.value(id);
      if (in.type != ElementType::kFloat32 || out.type != ElementType::kFloat32)
        return refused("an abacus has beads for 32-bit reals alone");
      if (in.shapes.front() != out.shapes.front())
        return refused("an abacus repeats no operand: give both the shape of the result");
    }
    return {};
  }

  Result<std::unique_ptr<Memory>> allocate(uint64_t bytes) override {
    return std::make_unique<AbacusMemory>(bytes);
  }

  // Every node has been asked takes() for. The piece is copied: it may go when this returns.
  Result<std::unique_ptr<MachineCode>> compile(const engine::Graph& piece,
                                               uint64_t bytes_max) override {
    auto code = std::make_unique<AbacusCode>();
    for (uint32_t i = 0; i < piece.value_count(); ++i) {
      const engine::Tensor* constant = piece.constant({i});
      if (constant != nullptr) code->constants[i] = floats(constant->bytes());
    }
    for (const engine::Node& node : piece.nodes()) {
      const auto& in = node.inputs;
      code->instructions.push_back(
          {node.op == "Add", in.front().index, in.back().index, node.output().index});
    }
    for (const ValueId id : piece.inputs()) code->inputs.push_back(id.index);
    for (const ValueId id : piece.outputs()) code->outputs.push_back(id.index);
    if (code->bytes() > bytes_max)
      return Error{Code::kTooLarge, "the piece does not fit on the abacus: make it smaller"};
    return code;
  }

  // One step: a copy is one, and so is each instruction. Between two steps a command can be given
  // up, so that nobody waits long for a queue to close. True when it was the last.
  Result<bool> advance(Command& command) override {
    if (command.kind == Command::Kind::kWrite) {
      std::ranges::copy(command.from, bytes_of_part(command.outputs[0]).begin());
      return true;
    }
    if (command.kind == Command::Kind::kRead) {
      std::ranges::copy(bytes_of_part(command.inputs[0]), command.to.begin());
      return true;
    }
    const auto& code = static_cast<const AbacusCode&>(*command.code);
    if (!command.unfinished) command.unfinished = begin(code, command);
    auto& registers = static_cast<AbacusRun&>(*command.unfinished).registers;
    if (command.steps < code.instructions.size()) {
      execute(code.instructions[command.steps], registers);
      return false;
    }
    for (size_t i = 0; i < code.outputs.size(); ++i) {
      const Floats& values = registers[code.outputs[i]];
      if (!values.empty())
        std::memcpy(bytes_of_part(command.outputs[i]).data(), values.data(), values.size() * 4);
    }
    return true;
  }

  // A real device is switched off and on here: nothing runs, and nothing handed out is left.
  Status reset() override { return {}; }

 private:
  static Floats floats(Bytes bytes) {
    Floats values(bytes.size() / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    return values;
  }

  static std::unique_ptr<Unfinished> begin(const AbacusCode& code, const Command& command) {
    auto run = std::make_unique<AbacusRun>();
    run->registers = code.constants;
    for (size_t i = 0; i < code.inputs.size(); ++i)
      run->registers[code.inputs[i]] = floats(bytes_of_part(command.inputs[i]));
    return run;
  }

  static void execute(const Instruction& instruction, std::map<uint32_t, Floats>& registers) {
    const Floats& a = registers[instruction.a];
    const Floats& b = registers[instruction.b];
    Floats out(a.size());
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = instruction.add ? a[i] + b[i] : std::max(a[i], 0.0F);
    registers[instruction.out] = std::move(out);
  }

  DeviceLimits limits_;
};

}  // namespace

// 5. All the rest, handles, queues, fences, bounds and failures, is SerialDevice's.
Result<std::unique_ptr<Device>> make_abacus(uint64_t memory_bytes) {
  return std::make_unique<SerialDevice>(std::make_unique<Abacus>(memory_bytes), Runs::kWorkers);
}

}  // namespace casemate::driver
