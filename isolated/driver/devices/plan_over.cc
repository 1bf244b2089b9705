// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/devices/plan_over.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "base/format.h"
#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/cut/cut_runner.h"

namespace casemate::driver {
namespace {

using engine::Graph;
using engine::ValueId;

Error at_device(const std::string& name, const Error& error) {
  return {error.code, formatted("{}: {}", name, error.text)};
}

double sum_ns(const std::vector<PieceTime>& times) {
  return std::accumulate(times.begin(), times.end(), 0.0,
                         [](double sum, const PieceTime& each) { return sum + each.sum_ns(); });
}

// The reasons of a candidate, without the nodes that they name.
std::vector<Refused> reasons_of(const Graph& graph, const Candidate& candidate) {
  std::vector<Refused> reasons;
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    std::string why = candidate.refusals[i];
    if (why.empty()) continue;
    const engine::Node& node = graph.nodes()[i];
    const std::string named = formatted("node '{}' ({}): ", node.name, node.op);
    if (why.starts_with(named)) why.erase(0, named.size());
    auto found = std::ranges::find(reasons, why, &Refused::why);
    if (found == reasons.end()) found = reasons.insert(found, {std::move(why), {}});
    ++found->operators[node.op];
  }
  std::ranges::stable_sort(reasons, std::ranges::greater{}, &Refused::count);
  return reasons;
}

// Others get only what the preferred one does not take.
Status prefer(const std::string& name, std::vector<Candidate>& candidates) {
  const auto wanted = std::ranges::find(candidates, name, &Candidate::name);
  if (wanted == candidates.end()) {
    return Error{Code::kInvalid,
                 formatted("{} is preferred and not among the devices: name it there, too", name)};
  }
  for (Candidate& other : candidates) {
    if (&other == &*wanted) continue;
    for (size_t i = 0; i < other.refusals.size(); ++i) {
      if (wanted->refusals[i].empty()) other.refusals[i] = formatted("{} is preferred", name);
    }
  }
  return {};
}

// Always the same numbers for a value.
Result<std::vector<uint8_t>> made_up(const engine::Value& value) {
  std::vector<uint8_t> bytes(TRY(engine::tensor_bytes(value.type, value.shapes.front())));
  std::minstd_rand random(1);
  if (value.type == ElementType::kInt8 || value.type == ElementType::kUint8) {
    for (uint8_t& each : bytes) each = static_cast<uint8_t>(random() >> 8);
  } else if (value.type == ElementType::kFloat32) {
    std::normal_distribution<float> normal;
    std::vector<float> values(bytes.size() / sizeof(float));
    for (float& each : values) each = normal(random);
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  }
  return bytes;
}

void compare(const engine::Value& value, Bytes have, Bytes want, Agreement& agreement) {
  if (std::ranges::equal(have, want)) return;
  agreement.same_bits = false;
  double difference = value.type == ElementType::kFloat32 ? 0 : 1;
  double largest = 1e-30;
  for (size_t at = 0; value.type == ElementType::kFloat32 && at < want.size();
       at += sizeof(float)) {
    float a = 0;
    float b = 0;
    std::memcpy(&a, have.data() + at, sizeof a);
    std::memcpy(&b, want.data() + at, sizeof b);
    largest = std::max(largest, std::abs(double{b}));
    const double apart = std::abs(double{a} - double{b});
    if (a != b && !(std::isnan(a) && std::isnan(b))) difference = std::max(difference, apart);
    if (std::isnan(a) != std::isnan(b)) difference = std::numeric_limits<double>::infinity();
  }
  agreement.difference_max = std::max(agreement.difference_max, difference / largest);
}

// A cut that is run again and again, and the best of its runs.
class Trial final {
 public:
  static Result<Trial> make(const Graph& graph, Cut cut, const std::vector<Device*>& devices) {
    CutRunner runner = TRY(CutRunner::make(graph, cut, devices));
    runner.time_copies(true);
    Trial trial(std::move(cut), std::move(runner));
    for (const ValueId id : graph.inputs())
      trial.inputs_.emplace_back(trial.memory_.emplace_back(TRY(made_up(graph.value(id)))));
    for (const ValueId id : graph.outputs()) {
      const engine::Value& value = graph.value(id);
      trial.outputs_.emplace_back(
          trial.memory_.emplace_back(TRY(engine::tensor_bytes(value.type, value.shapes.front()))));
    }
    return trial;
  }

  Status run(bool counts, Duration run_max, Clock& clock) {
    TRY(runner_.run(inputs_, outputs_, clock.now() + run_max, clock));
    const std::vector<PieceTime>& now = runner_.measured();
    if (!counts) return {};
    if (made_.measured.empty() || sum_ns(now) < sum_ns(made_.measured)) made_.measured = now;
    return {};
  }

  MeasuredCut take() { return std::move(made_); }
  [[nodiscard]] const std::vector<MutableBytes>& outputs() const { return outputs_; }

 private:
  Trial(Cut cut, CutRunner runner) : runner_(std::move(runner)) { made_.cut = std::move(cut); }

  MeasuredCut made_;
  std::vector<std::vector<uint8_t>> memory_;
  std::vector<Bytes> inputs_;
  std::vector<MutableBytes> outputs_;
  CutRunner runner_;
};

// The processor alone: its costs, or, where it was not named, those that are measured now.
Result<Trial> whole_on(Device& cpu, const Graph& graph, const Costs* known,
                       const PlanOverOptions& options, Clock& clock) {
  Costs costs = known != nullptr ? *known : TRY(measure(cpu, graph, options.measure, clock));
  const Cut cut = TRY(make_cut(graph, {candidate("cpu:0", cpu, std::move(costs), graph)}));
  return Trial::make(graph, cut, {&cpu});
}

}  // namespace

uint64_t Refused::count() const {
  uint64_t sum = 0;
  for (const auto& [op, count] : operators) sum += count;
  return sum;
}

Result<PlanOver> plan_over(const Graph& graph, const std::vector<OpenDevice>& devices,
                           const PlanOverOptions& options, Clock& clock) {
  PlanOver plan;
  std::vector<Candidate> candidates;
  std::vector<Device*> all;
  const Costs* of_cpu = nullptr;
  plan.costs.reserve(devices.size());
  for (const OpenDevice& each : devices) {
    auto costs = measure(*each.device, graph, options.measure, clock);
    if (!costs) return at_device(each.name, costs.error());
    plan.costs.push_back(*costs);
    if (each.device->kind() == "cpu") of_cpu = &plan.costs.back();
    candidates.push_back(candidate(each.name, *each.device, *std::move(costs), graph));
    plan.refusals.push_back(reasons_of(graph, candidates.back()));
    all.push_back(each.device.get());
  }
  if (!options.prefer.empty()) TRY(prefer(options.prefer, candidates));
  Trial cut = TRY(Trial::make(graph, TRY(make_cut(graph, candidates)), all));
  // One of its own, so that both have its memory.
  const auto cpu = make_cpu(
      {.threads = options.whole.threads, .memory_bytes = options.whole.memory_bytes}, clock);
  auto whole = whole_on(*cpu, graph, of_cpu, options, clock);
  if (!whole) plan.no_whole = whole.error().text;
  for (int round = 0; round <= options.rounds; ++round) {
    TRY(cut.run(round > 0, options.run_max, clock));
    if (whole) TRY(whole->run(round > 0, options.run_max, clock));
  }
  for (size_t i = 0; whole && i < graph.outputs().size(); ++i)
    compare(graph.value(graph.outputs()[i]), cut.outputs()[i], whole->outputs()[i], plan.agreement);
  plan.cut = cut.take();
  if (whole) plan.whole = whole->take();
  return plan;
}

}  // namespace casemate::driver
