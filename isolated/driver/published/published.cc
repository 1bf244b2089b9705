// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/published/published.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/driver/cut/cut_runner.h"
#include "isolated/engine/compiler.h"

namespace casemate::driver {
namespace {

using engine::Datum;
using engine::Fact;
using engine::Graph;
using engine::ValueId;

constexpr uint64_t kMemoryMax = 1ull << 30;
constexpr Duration kPatience = std::chrono::seconds(60);

CaseOutcome not_cut(std::string why) {
  return {.kind = CaseOutcome::Kind::kNotCut, .why = std::move(why), .nodes = {}};
}
CaseOutcome wrong(std::string why) {
  return {.kind = CaseOutcome::Kind::kWrong, .why = std::move(why), .nodes = {}};
}

bool numbers(const std::vector<Datum>& data) {
  return std::ranges::all_of(data, [](const Datum& each) {
    return each.tensor() != nullptr && size_of(each.tensor()->type()) > 0;
  });
}

// Costs that are no reason: the first device that takes a node has it.
std::vector<Candidate> first_takers(const Graph& graph, const std::vector<OpenDevice>& devices) {
  std::vector<Candidate> candidates;
  for (const OpenDevice& each : devices) {
    const Costs same{.nodes = {{.op = "Relu", .form = "any", .work = 1, .ns = 1}}};
    candidates.push_back(candidate(each.name, *each.device, same, graph));
  }
  for (size_t node = 0; node < graph.nodes().size(); ++node) {
    bool taken = false;
    for (Candidate& each : candidates) {
      if (taken) each.refusals[node] = "another takes it";
      taken = taken || each.refusals[node].empty();
    }
  }
  return candidates;
}

// As it came out of a device's memory.
Result<std::vector<Datum>> run_cut(const Graph& graph, const Cut& cut,
                                   const std::vector<OpenDevice>& devices,
                                   const std::vector<Datum>& data) {
  std::vector<Device*> all;
  for (const OpenDevice& each : devices) all.push_back(each.device.get());
  CutRunner runner = TRY(CutRunner::make(graph, cut, all));
  std::vector<Bytes> inputs;
  for (const Datum& each : data) inputs.push_back(each.tensor()->bytes());
  std::vector<std::string> memory;
  for (const ValueId id : graph.outputs()) {
    const engine::Value& value = graph.value(id);
    memory.emplace_back(TRY(engine::tensor_bytes(value.type, value.shapes.front())), '\0');
  }
  std::vector<MutableBytes> outputs;
  for (std::string& each : memory) {
    outputs.emplace_back(static_cast<uint8_t*>(static_cast<void*>(each.data())), each.size());
  }
  TRY(runner.run(inputs, outputs, system_clock().now() + kPatience));
  std::vector<Datum> made;
  for (size_t i = 0; i < memory.size(); ++i) {
    const engine::Value& value = graph.value(graph.outputs()[i]);
    made.emplace_back(
        TRY(engine::Tensor::make(value.type, value.shapes.front(), std::move(memory[i]))));
  }
  return made;
}

}  // namespace

CaseOutcome run_case(const engine::Case& tested, const std::vector<OpenDevice>& devices) {
  auto loaded = engine::load_case(tested);
  if (!loaded) return not_cut(loaded.error().text);
  if (!numbers(loaded->inputs) || !numbers(loaded->outputs))
    return not_cut("not all that goes in and comes out are tensors of numbers");
  std::vector<Fact> facts;
  Graph& general = loaded->model.graph;
  for (size_t i = 0; i < loaded->inputs.size(); ++i) {
    const engine::Tensor& tensor = *loaded->inputs[i].tensor();
    if (i > 0) general.value(general.inputs()[i]).constant = tensor;
    facts.push_back(Fact::of(tensor.type(), tensor.shape()));
  }
  engine::Compiler compiler(kMemoryMax);
  const auto shaped = compiler.shaped(general, facts);
  if (!shaped) return not_cut(shaped.error().text);
  if (!*shaped) return not_cut("data decides on shapes");
  const Graph& graph = **shaped;
  if (graph.nodes().empty()) return {.kind = CaseOutcome::Kind::kFolded, .why = {}, .nodes = {}};
  const auto cut = make_cut(graph, first_takers(graph, devices));
  if (!cut) return not_cut(cut.error().text);
  const auto made = run_cut(graph, *cut, devices, loaded->inputs);
  if (!made) return wrong(made.error().text);
  CaseOutcome outcome;
  outcome.nodes.resize(devices.size());
  for (const CutPiece& piece : cut->pieces) outcome.nodes[piece.device] += piece.nodes.size();
  outcome.why = engine::difference(*made, loaded->outputs);
  if (!outcome.why.empty()) outcome.kind = CaseOutcome::Kind::kWrong;
  return outcome;
}

}  // namespace casemate::driver
