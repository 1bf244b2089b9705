// SPDX-License-Identifier: Apache-2.0
// What this build drives on this machine, and a model planned over some of it.
#include "isolated/driver/devices/devices.h"

#include <sched.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/driver/devices/plan_over.h"
#include "isolated/driver/devices/report.h"
#include "isolated/driver/remote/given_end.h"
#include "isolated/driver/remote/remote.h"
#include "isolated/inspect/answer.h"
#include "isolated/inspect/compiled_model.h"

namespace casemate::inspect {
namespace {

using driver::DeviceReport;
using driver::OpenDevice;
using Json = nlohmann::ordered_json;

constexpr size_t kReasonsShown = 4;
constexpr size_t kOperatorsShown = 6;
constexpr size_t kTextMax = 400;

uint64_t machine_memory() {
  struct sysinfo facts{};
  return ::sysinfo(&facts) == 0 ? static_cast<uint64_t>(facts.totalram) * facts.mem_unit : 0;
}

int cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

std::string what(const OpenDevice& device) {
  std::string text(device.kind->what);
  if (device.kind->name == "cpu") text += formatted(", {} cores", cores());
  return device.kind->simulated ? text + " (simulated)" : text;
}

std::string types_text(const DeviceReport& report) {
  std::string text;
  for (const ElementType type : report.types)
    text += formatted("{}{}", text.empty() ? "" : " ", name_of(type));
  return text;
}

std::string report_text(const OpenDevice& device, const DeviceReport& report) {
  const bool well = report.health == driver::Health::kWell;
  std::string text =
      formatted("{:<9} {:<38} {:>9}  {:<20}  {}\n", device.name, what(device),
                sized(report.limits.memory_bytes), device.kind->shared,
                well ? "well" : formatted("failed: {}", shortened(report.reason, kTextMax)));
  return text + formatted("{:<9} takes {}; {} programs, {} buffers, {} queues of {}\n", "",
                          types_text(report), report.limits.programs_max, report.limits.buffers_max,
                          report.limits.queues_max, report.limits.commands_max);
}

Json json_of(const OpenDevice& device, const DeviceReport& report) {
  Json types = Json::array();
  for (const ElementType type : report.types) types.push_back(name_of(type));
  Json json = {{"name", device.name},
               {"what", what(device)},
               {"simulated", device.kind->simulated},
               {"shared_in", device.kind->shared},
               {"types", std::move(types)},
               {"memory_bytes", report.limits.memory_bytes},
               {"buffer_bytes_max", report.limits.buffer_bytes_max},
               {"alignment", report.limits.alignment},
               {"buffers_max", report.limits.buffers_max},
               {"programs_max", report.limits.programs_max},
               {"queues_max", report.limits.queues_max},
               {"commands_max", report.limits.commands_max},
               {"health", report.health == driver::Health::kWell ? "well" : "failed"}};
  if (device.kind->name == "cpu") json["cores"] = cores();
  if (!report.reason.empty()) json["reason"] = report.reason;
  return json;
}

// "5 Relu, 2 Add, ..."
std::string operators_text(const std::map<std::string, uint64_t>& operators) {
  std::string text;
  size_t shown = 0;
  for (const auto& [op, count] : operators) {
    if (shown++ == kOperatorsShown) return text + ", ...";
    text += formatted("{}{} {}", text.empty() ? "" : ", ", count, shortened(op, kTextMax / 10));
  }
  return text;
}

std::string refusals_text(const std::string& device, const std::vector<driver::Refused>& reasons) {
  uint64_t all = 0;
  for (const driver::Refused& each : reasons) all += each.count();
  if (all == 0) return formatted("{} takes every node\n", device);
  std::string text = formatted("{} does not take {} nodes:\n", device, all);
  for (size_t i = 0; i < std::min(reasons.size(), kReasonsShown); ++i) {
    text += formatted("{:>7}  {} ({})\n", reasons[i].count(), shortened(reasons[i].why, kTextMax),
                      operators_text(reasons[i].operators));
  }
  if (reasons.size() > kReasonsShown)
    text += formatted("{:>7}  more reasons: see --json\n", reasons.size() - kReasonsShown);
  return text;
}

std::string heading(const engine::Graph& graph, const Options& options) {
  std::string inputs;
  for (const engine::ValueId id : graph.inputs())
    inputs += formatted(" {}", graph.value(id).shapes.front().text());
  return formatted("{} nodes for inputs{}; {} thread{}, the best of {} runs, copies waited for\n\n",
                   graph.nodes().size(), shortened(inputs, kTextMax), options.threads,
                   options.threads == 1 ? "" : "s", options.rounds);
}

double measured_ms(const driver::MeasuredCut& cut) {
  double ns = 0;
  for (const driver::PieceTime& each : cut.measured) ns += each.sum_ns();
  return ns / 1e6;
}

std::string agreement_text(const driver::Agreement& agreement) {
  if (agreement.same_bits) return "the results are the same bits";
  return formatted("the results differ by at most {:.1e} of the largest", agreement.difference_max);
}

std::string text_of(const engine::Graph& graph, const std::vector<OpenDevice>& devices,
                    const driver::PlanOver& plan, const Options& options) {
  std::string text = heading(graph, options) + plan.cut.cut.text(graph, plan.cut.measured);
  if (plan.whole) {
    text += "\nthe whole on the processor alone\n" +
            plan.whole->cut.text(graph, plan.whole->measured) +
            formatted("the cut takes {:.2f} of its time; {}\n\n",
                      measured_ms(plan.cut) / std::max(measured_ms(*plan.whole), 1e-9),
                      agreement_text(plan.agreement));
  } else {
    text += formatted("\nnot on the processor alone: {}\n\n", shortened(plan.no_whole, kTextMax));
  }
  for (size_t i = 0; i < devices.size(); ++i)
    text += refusals_text(devices[i].name, plan.refusals[i]);
  return text;
}

// By node: which of the devices runs it.
std::vector<size_t> on_of(const engine::Graph& graph, const driver::Cut& cut) {
  std::vector<size_t> on(graph.nodes().size());
  for (const driver::CutPiece& piece : cut.pieces) {
    for (const size_t node : piece.nodes) on[node] = piece.device;
  }
  return on;
}

std::string json_of(const engine::Graph& graph, const std::vector<OpenDevice>& devices,
                    const driver::PlanOver& plan, const Options& options) {
  Json json = {{"nodes", graph.nodes().size()},
               {"threads", options.threads},
               {"rounds", options.rounds},
               {"cut", Json::parse(plan.cut.cut.json(graph, plan.cut.measured))},
               {"on", on_of(graph, plan.cut.cut)},
               {"measured_ms", measured_ms(plan.cut)}};
  if (plan.whole) {
    json["whole"] = Json::parse(plan.whole->cut.json(graph, plan.whole->measured));
    json["whole_measured_ms"] = measured_ms(*plan.whole);
    json["same_bits"] = plan.agreement.same_bits;
    json["difference_max"] = plan.agreement.difference_max;
  } else {
    json["no_whole"] = plan.no_whole;
  }
  json["devices"] = Json::array();
  for (size_t i = 0; i < devices.size(); ++i) {
    Json reasons = Json::array();
    for (const driver::Refused& each : plan.refusals[i])
      reasons.push_back(
          {{"why", each.why}, {"nodes", each.count()}, {"operators", each.operators}});
    json["devices"].push_back({{"name", devices[i].name},
                               {"simulated", devices[i].kind->simulated},
                               {"costs", Json::parse(plan.costs[i].json())},
                               {"refused", std::move(reasons)}});
  }
  return json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

// Streams to devices that other programs have, by name; each is opened once.
std::map<std::string, std::string>& streams() {
  static std::map<std::string, std::string> by_name;
  return by_name;
}

Result<std::unique_ptr<driver::Device>> open_remote(uint32_t number, const driver::OpenOptions&) {
  const auto stream = streams().extract(formatted("opencl:{}", number));
  if (stream.empty()) return Error{Code::kNotFound, "no program has it for this one"};
  return driver::make_remote(TRY(driver::given_end(stream.mapped())));
}

// Devices of OpenCL need files and processes, which are not to be had behind these walls.
void add_remotes(const Options& options) {
  uint32_t count = 0;
  for (const auto& [name, stream] : options.remotes) {
    uint32_t number = 0;
    const size_t at = name.find(':') + 1;
    std::from_chars(name.data() + at, name.data() + name.size(), number);
    count = std::max(count, number + 1);
  }
  streams() = options.remotes;
  if (count == 0) return;
  driver::add_device_kind({.name = "opencl",
                           .what = "an OpenCL device",
                           .shared = "compute units, memory",
                           .count = count,
                           .open = open_remote});
}

}  // namespace

Result<Answer> devices(const Options& options) {
  add_remotes(options);
  const auto open = TRY(driver::open_devices(
      driver::all_device_names(), {.threads = options.threads, .memory_bytes = machine_memory()}));
  std::string text = formatted("{:<9} {:<38} {:>9}  {:<20}  {}\n", "DEVICE", "WHAT", "MEMORY",
                               "SHARED IN", "HEALTH");
  Json json = {{"devices", Json::array()}};
  for (const OpenDevice& each : open) {
    const DeviceReport report = driver::report_of(*each.device);
    text += report_text(each, report);
    json["devices"].push_back(json_of(each, report));
  }
  if (!options.json) return Answer{std::move(text)};
  return Answer{json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n"};
}

Result<Answer> plan_over_devices(const Mapping& file, const Options& options) {
  add_remotes(options);
  const driver::OpenOptions open{.threads = options.threads,
                                 .memory_bytes = options.memory_bytes_max};
  const auto devices = TRY(driver::open_devices(*options.devices, open));
  Subject subject(file);
  TRY(read_whole(subject, options));
  const engine::Graph graph = TRY(subject.shaped(TRY(subject.load_options(options, {1}))));
  const driver::PlanOver plan = TRY(driver::plan_over(graph, devices,
                                                      {.measure = {.rounds = options.rounds},
                                                       .rounds = options.rounds,
                                                       .prefer = options.prefer,
                                                       .whole = open}));
  return Answer{options.json ? json_of(graph, devices, plan, options)
                             : text_of(graph, devices, plan, options)};
}

}  // namespace casemate::inspect
