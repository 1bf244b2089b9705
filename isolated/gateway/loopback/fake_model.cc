// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/loopback/fake_model.h"

#include <sys/eventfd.h>

#include <cstring>

namespace casemate::gateway {

PortDescription port(std::string_view name, ElementType type, const Shape& shape) {
  PortDescription port;
  port.name = Text<128>::from(name);
  port.type = static_cast<uint32_t>(type);
  port.rank = shape.rank();
  std::ranges::copy(shape.dims(), port.dims.begin());
  return port;
}

ModelDescription doubling_description(int64_t width, uint32_t batch_max) {
  ModelDescription model;
  model.input_count = model.output_count = 1;
  model.batch_max = batch_max;
  model.inputs[0] = port("x", ElementType::kFloat32, {-1, width});
  model.outputs[0] = port("y", ElementType::kFloat32, {-1, width});
  model.metadata_count = 1;
  model.metadata[0] = {Text<64>::from("task"), Text<192>::from("doubling")};
  return model;
}

FakeChannel::FakeChannel(Behaviour behaviour)
    : behaviour_(behaviour), bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

void FakeChannel::ring() {
  const uint64_t one = 1;
  (void)!::write(bell_.number(), &one, sizeof one);
}

Status FakeChannel::start(uint64_t ticket, std::span<const TensorView> inputs) {
  const std::lock_guard lock(mutex_);
  if (failed_) return Error{Code::kPartitionFailed, "the fake model is dead"};
  if (calls_.size() == behaviour_.slots) return Error{Code::kUnavailable, "no slot"};
  Call& call = calls_[ticket];
  call.shape = inputs[0].shape;
  call.data.assign(inputs[0].data.begin(), inputs[0].data.end());
  for (size_t at = 0; at + sizeof(float) <= call.data.size(); at += sizeof(float)) {
    float value = 0;
    std::memcpy(&value, call.data.data() + at, sizeof value);
    value *= 2;
    std::memcpy(call.data.data() + at, &value, sizeof value);
  }
  ++started_;
  if (!behaviour_.hold) ring();
  return {};
}

void FakeChannel::poll(std::vector<Completion>& completions) {
  const std::lock_guard lock(mutex_);
  if (failed_ || behaviour_.hold) return;
  for (auto& [ticket, call] : calls_) {
    if (std::exchange(call.reported, true)) continue;
    Completion& completion = completions.emplace_back();
    completion.ticket = ticket;
    completion.compute_ns = 1000;
    if (behaviour_.answer != Code::kOk) {
      completion.status = Error{behaviour_.answer, "the fake model was told to refuse"};
    } else {
      completion.outputs.push_back({ElementType::kFloat32, call.shape, call.data});
    }
  }
}

void FakeChannel::release(uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  calls_.erase(ticket);
}

void FakeChannel::fail_now() {
  failed_ = true;
  ring();
}

void FakeChannel::complete_held() {
  {
    const std::lock_guard lock(mutex_);
    behaviour_.hold = false;
  }
  ring();
}

}  // namespace casemate::gateway
