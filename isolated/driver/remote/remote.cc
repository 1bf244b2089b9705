// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/remote/remote.h"

#include "base/format.h"
#include "isolated/driver/remote/remote_core.h"

namespace casemate::driver {
namespace {

// Below this a piece of any size crosses in too many parts.
constexpr uint64_t kBulkMin = 64 << 10;

using Core = std::shared_ptr<RemoteCore>;

class RemoteBuffer final : public Buffer {
 public:
  RemoteBuffer(Core core, uint64_t id, uint64_t bytes)
      : core_(std::move(core)), id_(id), bytes_(bytes) {}
  ~RemoteBuffer() override { core_->free(id_); }
  uint64_t id() const override { return id_; }
  uint64_t bytes() const override { return bytes_; }

 private:
  Core core_;
  uint64_t id_;
  uint64_t bytes_;
};

class RemoteFence final : public Fence {
 public:
  RemoteFence(Core core, std::shared_ptr<RemoteLine> line, uint64_t command)
      : core_(std::move(core)), line_(std::move(line)), command_(command) {}
  Status wait(Instant deadline) override { return core_->wait(*line_, command_, deadline); }

 private:
  Core core_;
  std::shared_ptr<RemoteLine> line_;
  uint64_t command_;
};

class RemoteQueue final : public Queue {
 public:
  RemoteQueue(Core core, std::shared_ptr<RemoteLine> line)
      : core_(std::move(core)), line_(std::move(line)) {}
  ~RemoteQueue() override { core_->close(*line_); }

  FenceResult write(const Buffer& to, uint64_t offset, Bytes from) override {
    return fence(core_->write(*line_, to, offset, from));
  }
  FenceResult run(Program program, std::span<const Operand> inputs,
                  std::span<const Operand> outputs) override {
    return fence(core_->run(*line_, program, inputs, outputs));
  }
  FenceResult read(const Buffer& from, uint64_t offset, MutableBytes to) override {
    return fence(core_->read(*line_, from, offset, to));
  }

 private:
  FenceResult fence(const Result<uint64_t>& command) {
    if (!command) return command.error();
    return std::make_unique<RemoteFence>(core_, line_, *command);
  }

  Core core_;
  std::shared_ptr<RemoteLine> line_;
};

class RemoteDevice final : public Device {
 public:
  explicit RemoteDevice(Core core) : core_(std::move(core)) {}
  ~RemoteDevice() override { core_->stop(); }

  std::string kind() const override { return core_->kind; }
  const DeviceLimits& limits() const override { return core_->limits; }
  DeviceState state() const override { return core_->state(); }
  Status takes(const engine::Graph& graph, const engine::Node& node) const override {
    return core_->takes(graph, node);
  }
  Result<Program> compile(const engine::Graph& piece) override {
    return Program{TRY(core_->compile(piece))};
  }
  void drop(Program program) override { core_->drop(program.id); }
  Result<std::unique_ptr<Buffer>> make_buffer(uint64_t bytes) override {
    return std::make_unique<RemoteBuffer>(core_, TRY(core_->allocate(bytes)), bytes);
  }
  Result<std::unique_ptr<Queue>> make_queue() override {
    return std::make_unique<RemoteQueue>(core_, TRY(core_->open()));
  }
  Status reset(Instant deadline) override { return core_->reset(deadline); }

 private:
  // Shared with queues, buffers and fences, which may outlive the device.
  Core core_;
};

}  // namespace

Result<std::unique_ptr<Device>> make_remote(srpc::StreamEnd end, RemoteOptions options,
                                            Clock& clock) {
  if (end.bulk_in_bytes < kBulkMin || end.bulk_out_bytes < kBulkMin) {
    return Error{Code::kTooLarge, formatted("a stream to a device needs {} bytes of bulk memory in "
                                            "each direction",
                                            kBulkMin)};
  }
  auto requests =
      TRY(ring::ProducerEnd::make(end.requests.number(), {end.slots, sizeof(srpc::Request)}));
  auto caller = TRY(srpc::Caller::make(std::move(end)));
  auto core = std::make_shared<RemoteCore>(std::move(caller), std::move(requests),
                                           std::move(options), clock);
  TRY(core->greet());
  return std::make_unique<RemoteDevice>(std::move(core));
}

}  // namespace casemate::driver
