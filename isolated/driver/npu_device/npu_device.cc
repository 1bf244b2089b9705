// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu_device/npu_device.h"

#include <algorithm>
#include <map>
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

// A layer in device memory, and which operands of its program it reads and makes. What one layer
// makes for another is kept by the run, in the host's memory.
struct PlacedLayer {
  std::string node;
  npu::Layer layer;
  npu::LayerShape shape;
  std::optional<Requantisation> requantised;
  std::unique_ptr<NpuMemory> memory;
  std::optional<size_t> input;  // none: it reads what a layer before it has made,
  size_t maker = 0;             // this one
  std::vector<size_t> outputs;
  uint64_t result_bytes = 0;
  bool kept = false;  // a later layer reads it
};

struct NpuCode final : MachineCode {
  uint64_t bytes() const override { return bytes_taken; }
  std::vector<PlacedLayer> layers;
  std::map<engine::ValueId, size_t> makers;  // by value: which layer
  uint64_t bytes_taken = 0;
};

struct NpuRun final : Unfinished {
  std::map<size_t, std::vector<uint8_t>> kept;  // by layer
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
    // Without the lock: nobody else has this memory, and whoever makes a buffer keeps the device's
    // callers waiting, which must not be for a whole layer.
    for (uint64_t done = 0; done < bytes; done += kZeros.size()) {
      const uint64_t count = std::min<uint64_t>(kZeros.size(), bytes - done);
      TRY(machine_.write(memory->address() + done, Bytes(kZeros).first(count)));
    }
    return memory;
  }

  Result<std::unique_ptr<MachineCode>> compile(const engine::Graph& piece,
                                               uint64_t bytes_max) override {
    auto code = std::make_unique<NpuCode>();
    const engine::Uses uses(piece);
    for (const engine::ValueId id : piece.outputs()) {
      if (uses.maker(id)) continue;
      return Error{Code::kUnsupported,
                   formatted("value '{}': the accelerator hands nothing through that it does not "
                             "make",
                             piece.value(id).name)};
    }
    for (const engine::Node& node : piece.nodes()) {
      const bool read = !uses.readers(node.output()).empty();
      if (read || uses.is_output(node.output())) TRY(add_layer(piece, node, bytes_max, *code));
    }
    return code;
  }

  Result<bool> advance(Command& command) override {
    if (command.kind == Command::Kind::kRun) {
      const auto& layers = static_cast<const NpuCode*>(command.code)->layers;
      if (command.unfinished == nullptr) command.unfinished = std::make_unique<NpuRun>();
      if (command.steps < layers.size()) TRY(run_layer(layers, command.steps, command));
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

  // Counts bytes of a program, and refuses those that pass what there is.
  static Status charge(const engine::Node& node, uint64_t bytes, uint64_t bytes_max,
                       NpuCode& code) {
    if (bytes > bytes_max - code.bytes_taken) {
      return Error{Code::kUnavailable,
                   formatted("node '{}' takes {} bytes, the accelerator has {} free: free buffers "
                             "or programs",
                             node.name, bytes, bytes_max - code.bytes_taken)};
    }
    code.bytes_taken += bytes;
    return {};
  }

  // Where its program lies is in a layer's instructions, and how large it is, is known when they
  // are made: so they are made twice.
  Status add_layer(const engine::Graph& piece, const engine::Node& node, uint64_t bytes_max,
                   NpuCode& code) {
    const IntegerLayer from = TRY(layer_of(piece, node));
    const auto make = [&](uint64_t base) {
      return npu::Layer::make(from.shape, from.weights->loose_bytes(), from.bias,
                              {.base = base, .memory_bytes = limits_.memory_bytes});
    };
    const uint64_t bytes = places_.bytes_taken(TRY(make(0)).program().placement.end);
    TRY(charge(node, bytes, bytes_max, code));
    auto memory = TRY(take(bytes));
    npu::Layer layer = TRY(make(memory->address()));
    PlacedLayer placed{.node = node.name,
                       .layer = std::move(layer),
                       .shape = from.shape,
                       .requantised = from.requantised,
                       .memory = std::move(memory),
                       .input = {},
                       .outputs = {}};
    const auto given = std::ranges::find(piece.inputs(), from.input);
    if (given != piece.inputs().end()) {
      placed.input = static_cast<size_t>(given - piece.inputs().begin());
    } else {
      placed.maker = code.makers.at(from.input);
      PlacedLayer& maker = code.layers[placed.maker];
      // Host memory, and of each queue that may run it at the same time: counted as if it were the
      // device's, so that no model makes it grow.
      if (!maker.kept) TRY(charge(node, maker.result_bytes * limits_.queues_max, bytes_max, code));
      maker.kept = true;
    }
    const engine::Value& result = piece.value(node.output());
    placed.result_bytes = TRY(engine::tensor_bytes(result.type, result.shapes.front()));
    for (size_t i = 0; i < piece.outputs().size(); ++i) {
      if (piece.outputs()[i] == node.output()) placed.outputs.push_back(i);
    }
    code.makers[node.output()] = code.layers.size();
    const std::lock_guard held(lock_);
    TRY(placed.layer.place(machine_));
    code.layers.push_back(std::move(placed));
    return {};
  }

  Status run_layer(const std::vector<PlacedLayer>& layers, size_t number, const Command& command) {
    const PlacedLayer& placed = layers[number];
    auto& kept = static_cast<NpuRun*>(command.unfinished.get())->kept;
    const npu::Convolution& c = placed.shape.convolution;
    std::vector<int32_t> result(static_cast<size_t>(c.batch * c.outputs * c.positions()));
    const std::lock_guard held(lock_);
    std::vector<uint8_t> given;
    if (placed.input) {
      given.resize(command.inputs[*placed.input].bytes);
      TRY(machine_.read(address_of(command.inputs[*placed.input]), given));
    }
    const Bytes input = placed.input ? Bytes(given) : Bytes(kept.at(placed.maker));
    const auto report = placed.layer.run(machine_, input, result, cycles_max_);
    if (!report || report->fault) {
      return Error{Code::kPlatform,
                   formatted("the accelerator failed in node '{}': {}: reset it", placed.node,
                             report ? report->fault->text : report.error().text)};
    }
    Bytes made(static_cast<const uint8_t*>(static_cast<const void*>(result.data())),
               result.size() * sizeof(int32_t));
    std::vector<uint8_t> bytes;
    if (placed.requantised) {
      bytes.resize(result.size());
      requantise(placed.shape, *placed.requantised, result, bytes);
      made = bytes;
    }
    if (placed.kept) kept[number].assign(made.begin(), made.end());
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
