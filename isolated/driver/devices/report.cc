// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/devices/report.h"

#include <algorithm>

namespace casemate::driver {
namespace {

constexpr uint64_t kTriedBytes = 64 << 10;
constexpr Duration kPatience = std::chrono::seconds(10);
constexpr uint32_t kTypesMax = 16;  // numbers of ONNX's types

// Of operators that devices of reals and devices of bytes have, one input of the type.
bool takes(const Device& device, ElementType type) {
  engine::Graph graph;
  const engine::ValueId x = graph.add_input({"x", type, {Shape{1, 1}}});
  graph.add_node({.op = "Identity", .name = "same", .inputs = {x}}, {{"y", type, {Shape{1, 1}}}});
  auto weights = engine::Tensor::zeros(type, Shape{1, 1});
  if (weights) {
    const engine::ValueId w = graph.add_constant("w", *std::move(weights));
    graph.add_node({.op = "MatMulInteger", .name = "product", .inputs = {x, w}},
                   {{"sums", ElementType::kInt32, {Shape{1, 1}}}});
  }
  return std::ranges::any_of(graph.nodes(), [&](const engine::Node& node) {
    return device.takes(graph, node).has_value();
  });
}

Status try_copies(Device& device, Clock& clock) {
  const uint64_t bytes = std::min(kTriedBytes, device.limits().buffer_bytes_max);
  std::vector<uint8_t> sent(bytes);
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<uint8_t>(i * 31 + i / 256);
  std::vector<uint8_t> back(bytes);
  const auto buffer = TRY(device.make_buffer(bytes));
  const auto queue = TRY(device.make_queue());
  TRY(TRY(queue->write(*buffer, 0, sent))->wait(clock.now() + kPatience));
  TRY(TRY(queue->read(*buffer, 0, back))->wait(clock.now() + kPatience));
  if (sent == back) return {};
  return Error{Code::kPlatform, "bytes that were written to it came back as others"};
}

}  // namespace

DeviceReport report_of(Device& device, Clock& clock) {
  DeviceReport report{.limits = device.limits()};
  for (uint32_t number = 1; number <= kTypesMax; ++number) {
    const auto type = element_type_from(number);
    if (type && size_of(*type) > 0 && takes(device, *type)) report.types.push_back(*type);
  }
  const Status tried = try_copies(device, clock);
  const DeviceState state = device.state();
  if (tried && state.health == Health::kWell) return report;
  report.health = Health::kFailed;
  report.reason = state.reason.empty() ? tried.error().text : state.reason;
  return report;
}

}  // namespace casemate::driver
