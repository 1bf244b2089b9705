// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu_device/npu_device.h"

#include <algorithm>
#include <mutex>

#include "base/format.h"
#include "isolated/driver/npu_device/lowering.h"
#include "isolated/driver/serial/places.h"
#include "isolated/driver/serial/serial.h"

namespace casemate::driver {
namespace {

constexpr uint64_t kAlignment = 256;  // what the compiler wants of the address of a layer

class NpuMemory final : public Memory {
 public:
  NpuMemory(Places& places, uint64_t address) : places_(places), address_(address) {}
  ~NpuMemory() override { places_.give_back(address_); }
  [[nodiscard]] uint64_t address() const { return address_; }

 private:
  Places& places_;
  uint64_t address_;
};

uint64_t address_of(const Part& part) {
  return static_cast<const NpuMemory*>(part.memory)->address() + part.offset;
}

// A layer in device memory, and which operands of its program it reads and makes.
struct PlacedLayer {
  std::string node;
  npu::Layer layer;
  std::unique_ptr<NpuMemory> memory;
  size_t input = 0;
  std::vector<size_t> outputs;
};

struct NpuCode final : MachineCode {
  uint64_t bytes() const override { return bytes_taken; }
  std::vector<PlacedLayer> layers;
  uint64_t bytes_taken = 0;
};

class NpuMachine final : public Machine {
 public:
  NpuMachine(const NpuOptions& options, npu::Machine machine)
      : cycles_max_(options.cycles_max),
        limits_{.memory_bytes = machine.memory_bytes(),
                .buffer_bytes_max = machine.memory_bytes(),
                .alignment = kAlignment,
                .buffers_max = 1024,
                .programs_max = 1024,
                .queues_max = 4,
                .commands_max = 64},
        places_(machine.memory_bytes(), kAlignment),
        machine_(std::move(machine)) {}

  std::string kind() const override { return "npu"; }
  const DeviceLimits& limits() const override { return limits_; }

  Status takes(const engine::Graph& graph, const engine::Node& node) const override {
    const IntegerLayer layer = TRY(layer_of(graph, node));
    const auto refused = [&](const std::string& why) {
      return Error{Code::kUnsupported, formatted("node '{}' ({}): {}", node.name, node.op, why)};
    };
    if (static_cast<uint64_t>(layer.cycles) > cycles_max_ / 4) {
      return refused(
          formatted("it takes about {} cycles, a job has {} at most", layer.cycles, cycles_max_));
    }
    const npu::Convolution& c = layer.shape.convolution;
    const auto bytes = static_cast<uint64_t>(c.input_bytes() + c.output_bytes());
    if (bytes > limits_.memory_bytes) {
      return refused(formatted("{} bytes of images do not fit the accelerator's {}", bytes,
                               limits_.memory_bytes));
    }
    return {};
  }

  Result<std::unique_ptr<Memory>> allocate(uint64_t bytes) override {
    auto memory = TRY(take(bytes));
    static constexpr ByteArray<4096> kZeros{};
    const std::lock_guard held(lock_);
    for (uint64_t done = 0; done < bytes; done += kZeros.size()) {
      const uint64_t count = std::min<uint64_t>(kZeros.size(), bytes - done);
      TRY(machine_.write(memory->address() + done, Bytes(kZeros).first(count)));
    }
    return memory;
  }

  Result<std::unique_ptr<MachineCode>> compile(const engine::Graph& piece,
                                               uint64_t bytes_max) override {
    auto code = std::make_unique<NpuCode>();
    for (const engine::ValueId id : piece.outputs()) {
      const auto makes = [&](const engine::Node& node) { return node.output() == id; };
      if (std::ranges::none_of(piece.nodes(), makes)) {
        return Error{Code::kUnsupported,
                     formatted("value '{}': the accelerator hands nothing through that it does not "
                               "make",
                               piece.value(id).name)};
      }
    }
    for (const engine::Node& node : piece.nodes())
      TRY(add_layer(piece, node, bytes_max - code->bytes_taken, *code));
    return code;
  }

  Result<bool> advance(Command& command) override {
    if (command.kind == Command::Kind::kRun) {
      const auto& layers = static_cast<const NpuCode*>(command.code)->layers;
      if (command.steps < layers.size()) TRY(run_layer(layers[command.steps], command));
      return command.steps + 1 >= layers.size();
    }
    const std::lock_guard held(lock_);
    if (command.kind == Command::Kind::kWrite) {
      TRY(machine_.write(address_of(command.outputs[0]), command.from));
    } else {
      TRY(machine_.read(address_of(command.inputs[0]), command.to));
    }
    return true;
  }

  Status reset() override {
    const std::lock_guard held(lock_);
    machine_.reset();
    return {};
  }

 private:
  Result<std::unique_ptr<NpuMemory>> take(uint64_t bytes) {
    return std::make_unique<NpuMemory>(places_, TRY(places_.take(bytes)));
  }

  // Where its program lies is in a layer's instructions, and how large it is, is known when they
  // are made: so they are made twice.
  Status add_layer(const engine::Graph& piece, const engine::Node& node, uint64_t bytes_max,
                   NpuCode& code) {
    const IntegerLayer from = TRY(layer_of(piece, node));
    const auto make = [&](uint64_t base) {
      return npu::Layer::make(from.shape, from.weights->loose_bytes(), {},
                              {.base = base, .memory_bytes = limits_.memory_bytes});
    };
    const uint64_t bytes = places_.bytes_taken(TRY(make(0)).program().placement.end);
    if (bytes > bytes_max) {
      return Error{Code::kUnavailable,
                   formatted("node '{}' takes {} bytes, the accelerator has {} free: free buffers "
                             "or programs",
                             node.name, bytes, bytes_max)};
    }
    auto memory = TRY(take(bytes));
    npu::Layer layer = TRY(make(memory->address()));
    PlacedLayer placed{node.name, std::move(layer), std::move(memory), 0, {}};
    placed.input =
        static_cast<size_t>(std::ranges::find(piece.inputs(), from.input) - piece.inputs().begin());
    for (size_t i = 0; i < piece.outputs().size(); ++i) {
      if (piece.outputs()[i] == node.output()) placed.outputs.push_back(i);
    }
    if (placed.outputs.empty()) return {};  // nobody reads it: no layer reads what another makes
    code.bytes_taken += bytes;
    const std::lock_guard held(lock_);
    TRY(placed.layer.place(machine_));
    code.layers.push_back(std::move(placed));
    return {};
  }

  Status run_layer(const PlacedLayer& placed, const Command& command) {
    const Part& from = command.inputs[placed.input];
    std::vector<uint8_t> input(from.bytes);
    std::vector<int32_t> result(command.outputs[placed.outputs[0]].bytes / sizeof(int32_t));
    const std::lock_guard held(lock_);
    TRY(machine_.read(address_of(from), input));
    const auto report = placed.layer.run(machine_, input, result, cycles_max_);
    if (!report || report->fault) {
      return Error{Code::kPlatform,
                   formatted("the accelerator failed in node '{}': {}: reset it", placed.node,
                             report ? report->fault->text : report.error().text)};
    }
    const Bytes made(static_cast<const uint8_t*>(static_cast<const void*>(result.data())),
                     result.size() * sizeof(int32_t));
    for (const size_t output : placed.outputs)
      TRY(machine_.write(address_of(command.outputs[output]), made));
    return {};
  }

  uint64_t cycles_max_;
  DeviceLimits limits_;
  Places places_;
  std::mutex lock_;
  npu::Machine machine_;
};

}  // namespace

Result<std::unique_ptr<Device>> make_npu(const NpuOptions& options, Clock& clock) {
  auto machine = TRY(npu::Machine::make({.memory_bytes = options.memory_bytes,
                                         .timing = options.timing,
                                         .misbehaviour = options.misbehaviour}));
  return std::make_unique<SerialDevice>(std::make_unique<NpuMachine>(options, std::move(machine)),
                                        Runs::kWorkers, clock);
}

}  // namespace casemate::driver
