// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/device/device.h"

#include <clblast.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "base/format.h"
#include "isolated/driver/opencl/device/code.h"
#include "isolated/driver/serial/serial.h"

namespace casemate::driver {
namespace {

// A copy of more is several steps, between which it can be given up.
constexpr uint64_t kCopyPerStep = 8ull << 20;

// A buffer of the device. It is filled with zeros by the first command that touches it, so that
// making one waits for nothing that runs.
class OpenclMemory final : public Memory {
 public:
  OpenclMemory(std::shared_ptr<Hardware> hardware, OwnedBuffer buffer, uint64_t bytes)
      : hardware_(std::move(hardware)), buffer_(std::move(buffer)), bytes_(bytes) {}

  Result<cl_mem> ready(cl_command_queue lane) {
    const std::lock_guard held(lock_);
    if (fresh_ && bytes_ > 0) {
      constexpr cl_uchar kZero = 0;
      TRY(opencl_did("clearing memory", clEnqueueFillBuffer(lane, *buffer_, &kZero, 1, 0, bytes_, 0,
                                                            nullptr, nullptr)));
      TRY(Hardware::finish(lane));
    }
    fresh_ = false;
    return *buffer_;
  }

 private:
  std::shared_ptr<Hardware> hardware_;  // outlives what was made with it
  OwnedBuffer buffer_;
  uint64_t bytes_;
  std::mutex lock_;
  bool fresh_ = true;
};

// While it lives, the lane is not another's.
class TakenLane final {
 public:
  static Result<TakenLane> take(Hardware& hardware) {
    return TakenLane(hardware, TRY(hardware.take_lane()));
  }
  TakenLane(TakenLane&&) noexcept = default;
  TakenLane& operator=(TakenLane&&) = delete;
  ~TakenLane() {
    if (lane_.present()) hardware_.give_lane(std::move(lane_));
  }
  [[nodiscard]] cl_command_queue operator*() const { return *lane_; }

 private:
  TakenLane(Hardware& hardware, OwnedLane lane) : hardware_(hardware), lane_(std::move(lane)) {}

  Hardware& hardware_;
  OwnedLane lane_;
};

class OpenclRun final : public Unfinished {
 public:
  OpenclRun(OpenclCode& code, std::unique_ptr<OpenclCode::Seat> seat)
      : code_(code), seat_(std::move(seat)) {}
  ~OpenclRun() override { code_.give_back(std::move(seat_)); }

  // Requires: each part is inside its memory, at a multiple of the device's alignment.
  Status bind(Hardware& hardware, const Command& command, cl_command_queue lane) {
    std::vector<cl_mem> inputs;
    std::vector<cl_mem> outputs;
    for (const Part& part : command.inputs) inputs.push_back(TRY(place(hardware, part, lane)));
    for (const Part& part : command.outputs) outputs.push_back(TRY(place(hardware, part, lane)));
    code_.bind(*seat_, inputs, outputs);
    return {};
  }
  Result<bool> step(cl_command_queue lane) {
    at_ = TRY(code_.run(lane, *seat_, at_));
    return at_ >= code_.node_count();
  }

 private:
  Result<cl_mem> place(Hardware& hardware, const Part& part, cl_command_queue lane) {
    const cl_mem whole = TRY(static_cast<OpenclMemory*>(part.memory)->ready(lane));
    if (part.offset == 0 || part.bytes == 0) return whole;
    parts_.push_back(TRY(hardware.make_part(whole, part.offset, part.bytes)));
    return *parts_.back();
  }

  OpenclCode& code_;
  std::unique_ptr<OpenclCode::Seat> seat_;
  std::vector<OwnedBuffer> parts_;
  size_t at_ = 0;
};

class OpenclMachine final : public Machine {
 public:
  OpenclMachine(std::shared_ptr<Hardware> hardware, const OpenclOptions& options)
      : hardware_(std::move(hardware)),
        limits_{.memory_bytes = std::min(options.memory_bytes, hardware_->memory_bytes()),
                .buffer_bytes_max = std::min(options.memory_bytes, hardware_->buffer_bytes_max()),
                .alignment = hardware_->alignment(),
                .buffers_max = 4096,
                .programs_max = 1024,
                .queues_max = 4,
                .commands_max = 256} {
    limits_.share_percent = 100 * hardware_->units() / hardware_->units_whole();
  }

  std::string kind() const override { return "opencl"; }
  const DeviceLimits& limits() const override { return limits_; }

  Status takes(const engine::Graph& graph, const engine::Node& node) const override {
    TRY(recipe_of(graph, node));
    return {};
  }

  Result<std::unique_ptr<Memory>> allocate(uint64_t bytes) override {
    auto hardware = now();
    auto buffer = TRY(hardware->make_buffer(bytes));
    return std::make_unique<OpenclMemory>(std::move(hardware), std::move(buffer), bytes);
  }

  Result<std::unique_ptr<MachineCode>> compile(const engine::Graph& piece,
                                               uint64_t bytes_max) override {
    try {
      auto code = std::make_unique<OpenclCode>(now(), limits_.queues_max);
      TRY(code->compile(piece, bytes_max));
      return code;
    } catch (const std::bad_alloc&) {
      return Error{Code::kTooLarge, "out of memory while a piece was compiled: make it smaller"};
    }
  }

  Result<bool> advance(Command& command) override {
    Result<bool> done = advance_on(command);
    if (!done && done.error().code == Code::kPlatform) broken_ = true;
    return done;
  }

  // What failed is not asked again: kernels and queues are made anew.
  Status reset() override {
    if (!broken_) return {};
    auto fresh = TRY(now()->again());
    TRY(opencl_did("forgetting kernels", static_cast<cl_int>(clblast::ClearCache())));
    {
      const std::lock_guard held(lock_);
      hardware_ = std::move(fresh);
    }
    broken_ = false;
    return {};
  }

 private:
  std::shared_ptr<Hardware> now() {
    const std::lock_guard held(lock_);
    return hardware_;
  }

  Result<bool> advance_on(Command& command) {
    const std::shared_ptr<Hardware> hardware = now();
    const TakenLane lane = TRY(TakenLane::take(*hardware));
    if (command.kind == Command::Kind::kRun) return run_step(*hardware, command, *lane);
    const bool writes = command.kind == Command::Kind::kWrite;
    const Part& part = writes ? command.outputs[0] : command.inputs[0];
    const uint64_t begin = std::min(command.steps * kCopyPerStep, part.bytes);
    const uint64_t bytes = std::min(kCopyPerStep, part.bytes - begin);
    const cl_mem memory = TRY(static_cast<OpenclMemory*>(part.memory)->ready(*lane));
    if (bytes > 0) {
      const uint64_t at = part.offset + begin;
      const cl_int status =
          writes ? clEnqueueWriteBuffer(*lane, memory, CL_TRUE, at, bytes,
                                        command.from.data() + begin, 0, nullptr, nullptr)
                 : clEnqueueReadBuffer(*lane, memory, CL_TRUE, at, bytes, command.to.data() + begin,
                                       0, nullptr, nullptr);
      TRY(opencl_did(writes ? "writing to the device" : "reading from the device", status));
    }
    return begin + bytes == part.bytes;
  }

  static Result<bool> run_step(Hardware& hardware, Command& command, cl_command_queue lane) {
    auto& code = static_cast<OpenclCode&>(*command.code);
    if (!command.unfinished) {
      auto run = std::make_unique<OpenclRun>(code, TRY(code.take()));
      TRY(run->bind(hardware, command, lane));
      command.unfinished = std::move(run);
    }
    return static_cast<OpenclRun&>(*command.unfinished).step(lane);
  }

  std::mutex lock_;
  std::shared_ptr<Hardware> hardware_;  // another one when this one has failed
  DeviceLimits limits_;
  std::atomic<bool> broken_ = false;
};

}  // namespace

Result<std::unique_ptr<Device>> make_opencl(const OpenclOptions& options, Clock& clock) {
  auto hardware = TRY(Hardware::open(options));
  return std::make_unique<SerialDevice>(
      std::make_unique<OpenclMachine>(std::move(hardware), options), Runs::kWorkers, clock);
}

}  // namespace casemate::driver
