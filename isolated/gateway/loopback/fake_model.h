// SPDX-License-Identifier: Apache-2.0
#pragma once
// FakeModel: a model that computes y = 2x, and a channel to it inside this process. Real but for
// the wall: it copies inputs, completes later, rings a bell, and can fail.
//
//   Owns     its eventfd and the tensors of its calls.
//   Threads  the loop's; fail_now() and complete_held() may be called from another.
//   Trust    none needed.
//   Fails    as a Channel.

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.h"
#include "isolated/gateway/serving/channel.h"
#include "wire/abi/model.h"

namespace casemate::gateway {

PortDescription port(std::string_view name, ElementType type, const Shape& shape);
// Input x and output y, both FP32 [-1, width], batches of up to batch_max.
ModelDescription doubling_description(int64_t width, uint32_t batch_max);

class FakeChannel final : public Channel {
 public:
  struct Behaviour {
    uint32_t slots = limits::kStreamSlots;
    bool hold = false;  // complete nothing before complete_held()
    Code answer = Code::kOk;
  };
  explicit FakeChannel(Behaviour behaviour);
  FakeChannel() : FakeChannel(Behaviour{}) {}

  [[nodiscard]] uint32_t slots() const override { return behaviour_.slots; }
  Status start(uint64_t ticket, std::span<const TensorView> inputs) override;
  void poll(std::vector<Completion>& completions) override;
  void release(uint64_t ticket) override;
  [[nodiscard]] int bell() const override { return bell_.number(); }
  [[nodiscard]] bool failed() const override { return failed_; }

  // The other side dies.
  void fail_now();
  // What was held completes, and nothing is held any more.
  void complete_held();
  [[nodiscard]] uint64_t started() const { return started_; }

 private:
  struct Call {
    Shape shape;
    std::vector<uint8_t> data;
    bool reported = false;
  };
  void ring();
  mutable std::mutex mutex_;
  Behaviour behaviour_;
  Fd bell_;
  std::atomic<bool> failed_ = false;
  std::atomic<uint64_t> started_ = 0;
  std::map<uint64_t, Call> calls_;
};

}  // namespace casemate::gateway
