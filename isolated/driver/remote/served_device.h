// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: a device behind a stream, with both its ends in this process.
//
//   Owns     the device, the stream, and a thread that serves it.
//   Threads  as driver.h.
//   Trust    none is needed.
//   Fails    make_served() as the device's maker, and as make_remote().

#include <thread>

#include "isolated/driver/remote/remote.h"
#include "isolated/driver/remote/server.h"
#include "wire/srpc/stream_pair.h"

namespace casemate::driver {

inline constexpr srpc::StreamShape kServedShape{64, 64 << 20, 64 << 20, false};

class ServedDevice final : public Device {
 public:
  static constexpr Duration kWait = std::chrono::milliseconds(20);

  static Result<std::unique_ptr<Device>> make(std::unique_ptr<Device> device,
                                              const srpc::StreamShape& shape) {
    auto served = std::make_unique<ServedDevice>();
    served->device_ = std::move(device);
    served->pair_.emplace(TRY(srpc::StreamPair::make({1}, {1}, shape)));
    served->callee_.emplace(TRY(srpc::Callee::make(TRY(served->pair_->callee_end()))));
    served->thread_ = std::jthread([self = served.get()](const std::stop_token& stop) {
      serve(*self->device_, *self->callee_, {}, [&] { return !stop.stop_requested(); });
    });
    // Threads of a test wait for each other's commands.
    served->remote_ = TRY(make_remote(TRY(served->pair_->caller_end()), {.wait_max = kWait}));
    return served;
  }
  ~ServedDevice() override {
    remote_.reset();
    if (pair_) pair_->revoke();
  }

  std::string kind() const override { return remote_->kind(); }
  const DeviceLimits& limits() const override { return remote_->limits(); }
  DeviceState state() const override { return remote_->state(); }
  Status takes(const engine::Graph& graph, const engine::Node& node) const override {
    return remote_->takes(graph, node);
  }
  Result<Program> compile(const engine::Graph& piece) override { return remote_->compile(piece); }
  void drop(Program program) override { remote_->drop(program); }
  Result<std::unique_ptr<Buffer>> make_buffer(uint64_t bytes) override {
    return remote_->make_buffer(bytes);
  }
  Result<std::unique_ptr<Queue>> make_queue() override { return remote_->make_queue(); }
  Status reset(Instant deadline) override { return remote_->reset(deadline); }

 private:
  std::unique_ptr<Device> device_;
  std::optional<srpc::StreamPair> pair_;
  std::optional<srpc::Callee> callee_;
  std::jthread thread_;
  std::unique_ptr<Device> remote_;
};

inline Result<std::unique_ptr<Device>> make_served(Result<std::unique_ptr<Device>> device,
                                                   const srpc::StreamShape& shape = kServedShape) {
  if (!device) return device.error();
  return ServedDevice::make(*std::move(device), shape);
}

}  // namespace casemate::driver
