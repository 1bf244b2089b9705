// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/serial/serial.h"

#include "base/format.h"
#include "isolated/driver/serial/core.h"

namespace casemate::driver {
namespace {

class SerialBuffer final : public Buffer {
 public:
  SerialBuffer(std::shared_ptr<SerialCore> core, uint64_t id, uint64_t bytes)
      : core_(std::move(core)), id_(id), bytes_(bytes) {}
  ~SerialBuffer() override { core_->free_buffer(id_); }
  uint64_t id() const override { return id_; }
  uint64_t bytes() const override { return bytes_; }

 private:
  std::shared_ptr<SerialCore> core_;
  uint64_t id_;
  uint64_t bytes_;
};

class SerialFence final : public Fence {
 public:
  SerialFence(std::shared_ptr<SerialCore> core, std::shared_ptr<Line> line,
              std::shared_ptr<Pending> pending)
      : core_(std::move(core)), line_(std::move(line)), pending_(std::move(pending)) {}
  Status wait(Instant deadline) override { return core_->wait(*line_, *pending_, deadline); }

 private:
  std::shared_ptr<SerialCore> core_;
  std::shared_ptr<Line> line_;
  std::shared_ptr<Pending> pending_;
};

class SerialQueue final : public Queue {
 public:
  SerialQueue(std::shared_ptr<SerialCore> core, std::shared_ptr<Line> line)
      : core_(std::move(core)), line_(std::move(line)) {
    if (core_->runs == Runs::kWorkers)
      worker_ = std::thread([core = core_, line = line_] { core->serve(*line); });
  }
  ~SerialQueue() override {
    core_->close(*line_);
    if (worker_.joinable()) worker_.join();
  }

  FenceResult write(const Buffer& to, uint64_t offset, Bytes from) override {
    const auto pending = std::make_shared<Pending>();
    pending->command = {.kind = Command::Kind::kWrite, .from = from};
    const std::lock_guard held(core_->lock);
    TRY(core_->admit_locked(*line_));
    pending->command.outputs.push_back(TRY(core_->part_locked(&to, offset, from.size(), *pending)));
    return submit_locked(pending);
  }

  FenceResult read(const Buffer& from, uint64_t offset, MutableBytes to) override {
    const auto pending = std::make_shared<Pending>();
    pending->command = {.kind = Command::Kind::kRead, .to = to};
    const std::lock_guard held(core_->lock);
    TRY(core_->admit_locked(*line_));
    pending->command.inputs.push_back(TRY(core_->part_locked(&from, offset, to.size(), *pending)));
    return submit_locked(pending);
  }

  FenceResult run(Program program, std::span<const Operand> inputs,
                  std::span<const Operand> outputs) override {
    const auto pending = std::make_shared<Pending>();
    const std::lock_guard held(core_->lock);
    TRY(core_->admit_locked(*line_));
    const ProgramEntry& entry = *TRY(core_->program_locked(program));
    pending->command.kind = Command::Kind::kRun;
    pending->code = entry.code;
    pending->command.code = entry.code->held.get();
    TRY(add_locked("input", inputs, entry.input_bytes, *pending, pending->command.inputs));
    TRY(add_locked("output", outputs, entry.output_bytes, *pending, pending->command.outputs));
    if (!operands_apart(pending->command)) {
      return Error{Code::kInvalid,
                   "an output lies where an input or another output does: give each its own bytes"};
    }
    return submit_locked(pending);
  }

 private:
  Status add_locked(std::string_view what, std::span<const Operand> operands,
                    const std::vector<uint64_t>& bytes, Pending& pending,
                    std::vector<Part>& parts) {
    if (operands.size() != bytes.size()) {
      return Error{Code::kInvalid, formatted("the program has {} {}s, it was given {}",
                                             bytes.size(), what, operands.size())};
    }
    for (size_t i = 0; i < operands.size(); ++i) {
      auto part = core_->part_locked(operands[i].buffer, operands[i].offset, bytes[i], pending);
      if (!part) {
        return Error{part.error().code, formatted("{} {}: {}", what, i, part.error().text)};
      }
      const uint64_t alignment = core_->machine->limits().alignment;
      if (part->offset % alignment != 0) {
        return Error{Code::kInvalid, formatted("{} {} begins at {}, the device takes multiples of "
                                               "{}",
                                               what, i, part->offset, alignment)};
      }
      parts.push_back(*part);
    }
    return {};
  }

  FenceResult submit_locked(const std::shared_ptr<Pending>& pending) {
    core_->push_locked(*line_, pending);
    return std::make_unique<SerialFence>(core_, line_, pending);
  }

  std::shared_ptr<SerialCore> core_;
  std::shared_ptr<Line> line_;
  std::thread worker_;
};

}  // namespace

SerialDevice::SerialDevice(std::unique_ptr<Machine> machine, Runs runs, Clock& clock)
    : core_(std::make_shared<SerialCore>(std::move(machine), runs, clock)) {}

SerialDevice::~SerialDevice() { core_->stop(); }

std::string SerialDevice::kind() const { return core_->machine->kind(); }
const DeviceLimits& SerialDevice::limits() const { return core_->machine->limits(); }
DeviceState SerialDevice::state() const { return core_->state(); }

Status SerialDevice::takes(const engine::Graph& graph, const engine::Node& node) const {
  return core_->machine->takes(graph, node);
}

Result<Program> SerialDevice::compile(const engine::Graph& piece) {
  return Program{TRY(core_->compile(piece))};
}

void SerialDevice::drop(Program program) { core_->drop(program.id); }

Result<std::unique_ptr<Buffer>> SerialDevice::make_buffer(uint64_t bytes) {
  return std::make_unique<SerialBuffer>(core_, TRY(core_->make_buffer(bytes)), bytes);
}

Result<std::unique_ptr<Queue>> SerialDevice::make_queue() {
  return std::make_unique<SerialQueue>(core_, TRY(core_->open_line()));
}

Status SerialDevice::reset(Instant deadline) { return core_->reset(deadline); }

}  // namespace casemate::driver
