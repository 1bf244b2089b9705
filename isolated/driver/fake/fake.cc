// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/fake/fake.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/driver/fake/block.h"
#include "isolated/driver/fake/stated.h"
#include "isolated/driver/serial/serial.h"
#include "isolated/engine/interpret/interpreter.h"

namespace casemate::driver {
namespace {

class FakeMemory final : public Memory {
 public:
  FakeMemory(Block& block, uint64_t offset) : block_(block), offset_(offset) {}
  ~FakeMemory() override { block_.free(offset_); }
  MutableBytes part(uint64_t offset, uint64_t bytes) const {
    return block_.at(offset_ + offset, bytes);
  }

 private:
  Block& block_;
  uint64_t offset_;
};

MutableBytes bytes_of_part(const Part& part) {
  return static_cast<const FakeMemory*>(part.memory)->part(part.offset, part.bytes);
}

struct FakeCode final : MachineCode {
  explicit FakeCode(engine::Graph stated) : graph(std::move(stated)) {}
  uint64_t bytes() const override {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < graph.value_count(); ++i) {
      const engine::Tensor* constant = graph.constant({i});
      if (constant != nullptr) sum += constant->byte_count();
    }
    return sum;
  }
  engine::Graph graph;
};

class FakeMachine final : public Machine {
 public:
  FakeMachine(const FakeOptions& options, Mapping memory)
      : options_(options),
        limits_{.memory_bytes = options.memory_bytes,
                .buffer_bytes_max = options.memory_bytes,
                .alignment = Block::kAlignment,
                .buffers_max = 1024,
                .programs_max = 256,
                .queues_max = options.queues_max,
                .commands_max = options.commands_max},
        block_(std::move(memory)) {}

  std::string kind() const override { return "fake"; }
  const DeviceLimits& limits() const override { return limits_; }

  Status takes(const engine::Graph& graph, const engine::Node& node) const override {
    const auto refused = [&](std::string_view why) {
      return Error{Code::kUnsupported, formatted("node '{}' ({}): {}", node.name, node.op, why)};
    };
    if (!options_.operators.empty() && !std::ranges::contains(options_.operators, node.op))
      return refused("this fake device was made without the operator");
    if (!node.post_ops.empty()) return refused("the fake device runs no fused operators");
    if (engine::Operators::instance().find(node.op) == nullptr)
      return refused("no function is known for the operator");
    for (const auto* ids : {&node.inputs, &node.outputs}) {
      for (const engine::ValueId id : *ids) {
        if (id.present() && graph.value(id).type == ElementType::kString)
          return refused("text does not lie in a device's memory");
      }
    }
    return {};
  }

  Result<std::unique_ptr<Memory>> allocate(uint64_t bytes) override {
    return std::make_unique<FakeMemory>(block_, TRY(block_.allocate(bytes)));
  }

  Result<std::unique_ptr<MachineCode>> compile(const engine::Graph& piece, uint64_t) override {
    return std::make_unique<FakeCode>(as_stated(piece));
  }

  Result<bool> advance(Command& command) override {
    command.hangs = command.number == options_.hang_at;
    if (command.hangs) return false;
    if (command.number == options_.fault_at) {
      return Error{Code::kPlatform,
                   formatted("the fake device failed at command {}, as it was told to: reset it",
                             command.number)};
    }
    if (command.steps < options_.slow_steps) return false;
    if (command.kind == Command::Kind::kRun) {
      TRY(run(command));
    } else if (command.kind == Command::Kind::kWrite) {
      std::ranges::copy(command.from, bytes_of_part(command.outputs[0]).begin());
    } else {
      std::ranges::copy(bytes_of_part(command.inputs[0]), command.to.begin());
    }
    if (command.number == options_.lie_at) lie(command);
    return true;
  }

  Status reset() override {
    block_.clear();
    return {};
  }

 private:
  Status run(Command& command) {
    const engine::Graph& graph = static_cast<const FakeCode*>(command.code)->graph;
    std::vector<engine::Datum> inputs;
    for (size_t i = 0; i < command.inputs.size(); ++i) {
      const engine::Value& value = graph.value(graph.inputs()[i]);
      inputs.emplace_back(engine::Tensor::view(
          TensorView{value.type, value.shapes.front(), bytes_of_part(command.inputs[i])}));
    }
    engine::Interpreter interpreter({.memory_bytes_max = options_.memory_bytes});
    const auto outputs = TRY(interpreter.run(graph, std::move(inputs)));
    for (size_t i = 0; i < outputs.size(); ++i) {
      const engine::Value& value = graph.value(graph.outputs()[i]);
      const engine::Tensor* made = outputs[i].tensor();
      if (made == nullptr || made->type() != value.type || made->shape() != value.shapes.front()) {
        return Error{Code::kInvalid,
                     formatted("value '{}' is not {} {} when it is computed", value.name,
                               name_of(value.type), value.shapes.front().text())};
      }
      std::ranges::copy(made->bytes(), bytes_of_part(command.outputs[i]).begin());
    }
    return {};
  }

  static void lie(const Command& command) {
    if (!command.to.empty()) command.to[0] ^= 1;
    for (const Part& part : command.outputs) {
      if (part.bytes > 0) bytes_of_part(part)[0] ^= 1;
    }
  }

  FakeOptions options_;
  DeviceLimits limits_;
  Block block_;
};

}  // namespace

Result<std::unique_ptr<Device>> make_fake(const FakeOptions& options, Clock& clock) {
  auto machine = std::make_unique<FakeMachine>(
      options, TRY(Mapping::anonymous(std::max<uint64_t>(options.memory_bytes, 1))));
  return std::make_unique<SerialDevice>(std::move(machine), Runs::kWaiters, clock);
}

}  // namespace casemate::driver
