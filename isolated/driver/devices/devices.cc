// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/devices/devices.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/format.h"
#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/cut/cut_runner.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/opencl/device/device.h"

namespace casemate::driver {
namespace {

constexpr size_t kDevicesMax = 16;

Result<std::unique_ptr<Device>> open_one(std::string_view name, const OpenOptions& options) {
  const size_t colon = name.find(':');
  uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const char* const digits = colon == name.npos ? end : name.data() + colon + 1;
  const auto [stop, error] = std::from_chars(digits, end, number);
  if (colon == 0 || error != std::errc() || stop != end) {
    return Error{Code::kInvalid, formatted("'{}' is no device's name: a kind, a colon and a "
                                           "number, as in cpu:0",
                                           name)};
  }
  const std::string_view kind = name.substr(0, colon);
  if (kind == "opencl") return make_opencl({.index = number, .memory_bytes = options.memory_bytes});
  if (kind != "cpu" && kind != "fake") {
    return Error{Code::kUnsupported,
                 formatted("this build has no driver for '{}': it has cpu, fake and opencl", kind)};
  }
  if (number != 0)
    return Error{Code::kNotFound, formatted("there is no {}: there is one, {}:0", name, kind)};
  if (kind == "cpu")
    return make_cpu({.threads = options.threads, .memory_bytes = options.memory_bytes});
  return make_fake({.memory_bytes = options.memory_bytes});
}

double sum_of_ns(const std::vector<double>& each) {
  return std::accumulate(each.begin(), each.end(), 0.0);
}

}  // namespace

Result<std::vector<OpenDevice>> open_devices(std::string_view names, const OpenOptions& options) {
  std::vector<OpenDevice> open;
  while (true) {
    const size_t comma = names.find(',');
    const std::string_view name = names.substr(0, comma);
    if (std::ranges::contains(open, name, &OpenDevice::name))
      return Error{Code::kInvalid, formatted("the device {} is named twice", name)};
    if (open.size() == kDevicesMax)
      return Error{Code::kTooLarge, formatted("at most {} devices can be named", kDevicesMax)};
    auto device = TRY(open_one(name, options));
    open.push_back({std::string(name), std::move(device)});
    if (comma == names.npos) return open;
    names.remove_prefix(comma + 1);
  }
}

Result<PlanOver> plan_over(const engine::Graph& graph, const std::vector<OpenDevice>& devices,
                           const PlanOverOptions& options, Clock& clock) {
  PlanOver plan;
  std::vector<Candidate> candidates;
  std::vector<Device*> all;
  for (const OpenDevice& each : devices) {
    auto costs = measure(*each.device, graph, options.measure, clock);
    if (!costs)
      return Error{costs.error().code, formatted("{}: {}", each.name, costs.error().text)};
    plan.costs.push_back(*costs);
    candidates.push_back(candidate(each.name, *each.device, *std::move(costs), graph));
    all.push_back(each.device.get());
  }
  plan.cut = TRY(make_cut(graph, candidates));
  CutRunner runner = TRY(CutRunner::make(graph, plan.cut, all));
  std::vector<std::vector<uint8_t>> memory;
  std::vector<Bytes> inputs;
  std::vector<MutableBytes> outputs;
  const auto zeros = [&](engine::ValueId id) -> Result<std::vector<uint8_t>> {
    const engine::Value& value = graph.value(id);
    return std::vector<uint8_t>(TRY(engine::tensor_bytes(value.type, value.shapes.front())));
  };
  for (const engine::ValueId id : graph.inputs())
    inputs.emplace_back(memory.emplace_back(TRY(zeros(id))));
  for (const engine::ValueId id : graph.outputs())
    outputs.emplace_back(memory.emplace_back(TRY(zeros(id))));
  for (int round = 0; round <= options.rounds; ++round) {
    TRY(runner.run(inputs, outputs, clock.now() + options.run_max, clock));
    const std::vector<double>& now = runner.measured_ns();
    const bool better = round == 1 || sum_of_ns(now) < sum_of_ns(plan.measured_ns);
    if (round > 0 && better) plan.measured_ns = now;
  }
  return plan;
}

}  // namespace casemate::driver
