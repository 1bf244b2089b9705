// SPDX-License-Identifier: Apache-2.0
// Whether this build can serve a model. It is loaded as a server would load it; where that fails,
// it is looked at once more for all that is wrong, node by node.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/inspect/answer.h"
#include "isolated/inspect/subject.h"

namespace casemate::inspect {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kOperatorsShown = 12;
constexpr size_t kLineMax = 1000;

// What is known in the end. What could not be found out is not there.
struct Findings {
  const Subject* subject = nullptr;  // none: the file could not be read
  std::optional<engine::Model> model;
  engine::Refusals refusals;
  bool guessed = false;  // no extents were named, and 1 makes no sense for them
};

Json json_of(const engine::Port& port) {
  Json shape = Json::array();
  for (size_t i = 0; i < port.dims.size(); ++i)
    shape.push_back(port.dims[i] >= 0 ? Json(port.dims[i]) : Json(port.symbols[i]));
  return {{"name", port.name}, {"type", name_of(port.type)}, {"shape", std::move(shape)}};
}

void describe_model(const engine::Model& model, Json& json) {
  const engine::MemoryUse memory = model.memory();
  json["plans"] = model.compiled().size();
  json["batch_max"] = model.description().batch_max;
  json["memory"] = {{"weight_bytes", memory.weight_bytes},
                    {"instance_bytes", memory.arena_bytes + memory.unpacked_bytes}};
  json["slow_nodes"] = model.slow_nodes();
}

std::string json_text(const Findings& found) {
  Json json = {{"served", found.refusals.empty()}};
  if (found.subject != nullptr) {
    const engine::ReadModel& read = found.subject->model();
    const Subject::Counts counts = found.subject->counts();
    for (const auto& [domain, version] : read.operator_sets)
      json["operator_sets"][domain.empty() ? "ai.onnx" : domain] = version;
    for (const engine::Port& port : read.inputs) json["inputs"].push_back(json_of(port));
    for (const engine::Port& port : read.outputs) json["outputs"].push_back(json_of(port));
    json["nodes"] = counts.nodes;
    json["operators"] = counts.operators;
    json["weight_bytes"] = counts.weight_bytes;
  }
  if (found.model) describe_model(*found.model, json);
  json["refused"] = found.refusals.count();
  json["reasons"] = Json::array();
  for (const Error& error : found.refusals.list()) json["reasons"].push_back(error.text);
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string row(std::string_view name, std::string_view text) {
  return formatted("{:<14} {}\n", name, text);
}

// "53 Conv, 49 Relu, ..."
std::string operators_text(const Subject::Counts& counts) {
  std::vector<std::pair<std::string, uint64_t>> sorted(counts.operators.begin(),
                                                       counts.operators.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{},
                           [](const auto& entry) { return entry.second; });
  std::string text;
  for (size_t i = 0; i < std::min(sorted.size(), kOperatorsShown); ++i) {
    text += formatted("{}{} {}", i == 0 ? "" : ", ", sorted[i].second,
                      shortened(sorted[i].first, kLineMax));
  }
  if (sorted.size() > kOperatorsShown)
    text += formatted(", and {} other operators", sorted.size() - kOperatorsShown);
  return text;
}

std::string subject_text(const Subject& subject) {
  const engine::ReadModel& read = subject.model();
  const Subject::Counts counts = subject.counts();
  std::string sets;
  for (const auto& [domain, version] : read.operator_sets) {
    sets += formatted("{}{} {}", sets.empty() ? "" : ", ",
                      domain.empty() ? "ai.onnx" : shortened(domain, kLineMax), version);
  }
  std::string text = row("operator sets", sets);
  for (const engine::Port& port : read.inputs) text += row("input", text_of(port));
  for (const engine::Port& port : read.outputs) text += row("output", text_of(port));
  text += row("nodes", formatted("{}: {}", counts.nodes, operators_text(counts)));
  return text + row("weights", sized(counts.weight_bytes));
}

std::string plans_text(const engine::Model& model, bool guessed) {
  if (guessed) {
    return "made when a shape is first seen: name extents with --shape NAME=EXTENT to look at one "
           "(an extent of 1 makes no sense)";
  }
  if (model.compiled().empty()) return "made when a shape is first seen: data decides on shapes";
  std::string text;
  for (const engine::Compiled& made : model.compiled()) {
    std::string inputs;
    for (const engine::Fact& fact : made.inputs)
      inputs += formatted("{}{}", inputs.empty() ? "" : " ", fact.shape.text());
    text += formatted("{}{}", text.empty() ? "compiled for inputs " : ", ",
                      shortened(inputs, kLineMax));
  }
  if (model.item() != nullptr) text += "; of a batch, each thread runs items by itself";
  return text;
}

std::string model_text(const engine::Model& model, bool guessed) {
  const engine::MemoryUse memory = model.memory();
  std::string text = row("plans", plans_text(model, guessed));
  text += row("memory", formatted("{} for weights, once, and {} for each instance",
                                  sized(memory.weight_bytes), sized(memory.arena_bytes)));
  if (memory.unpacked_bytes > 0) {
    text += row("", formatted("and {} more in an instance that meets a shape that was not "
                              "compiled",
                              sized(memory.unpacked_bytes)));
  }
  const std::vector<std::string> slow = model.slow_nodes();
  if (slow.empty()) return text + row("slow nodes", "none");
  text +=
      row("slow nodes", formatted("{}, for which there is only a reference kernel:", slow.size()));
  for (const std::string& name : slow) text += formatted("  {}\n", shortened(name, kLineMax));
  return text;
}

std::string text_of(const Findings& found) {
  std::string text = row("can be served", found.refusals.empty() ? "yes" : "no");
  if (found.subject != nullptr) text += subject_text(*found.subject);
  if (found.model) text += model_text(*found.model, found.guessed);
  if (found.refusals.empty()) return text;
  text += row("refused", formatted("{}:", found.refusals.count()));
  for (const Error& error : found.refusals.list())
    text += formatted("  {}\n", shortened(error.text, kLineMax));
  if (found.refusals.count() > found.refusals.list().size()) text += "  ...\n";
  return text;
}

// Loads the model as a server would.
void load(const Mapping& file, const Options& options, const engine::LoadOptions& wanted,
          Findings& found) {
  auto model = engine::Model::load(file, wanted);
  if (!model && options.shapes.empty() && options.batch == 0 && !wanted.shapes.empty()) {
    engine::LoadOptions later = wanted;
    later.shapes.clear();
    auto unplanned = engine::Model::load(file, later);
    found.guessed = unplanned.has_value();
    if (unplanned) model = std::move(unplanned);
  }
  if (model) {
    found.model.emplace(*std::move(model));
    return;
  }
  found.subject->look_closer(wanted, found.refusals);
  // With nodes that were found it says nothing new, or comes of one of them.
  if (found.refusals.empty()) found.refusals.add(model.error());
}

}  // namespace

Result<Answer> check(const Mapping& file, const Options& options) {
  Subject subject(file);
  Findings found;
  if (subject.read(options, found.refusals)) {
    found.subject = &subject;
    load(file, options, TRY(subject.load_options(options, engine::LoadOptions().batch_sizes)),
         found);
  }
  Answer answer{.text = options.json ? json_text(found) : text_of(found)};
  if (found.refusals.empty()) return answer;
  const Error& first = found.refusals.list().front();
  answer.refusal =
      found.refusals.count() == 1
          ? first
          : Error{first.code, formatted("this build cannot serve the model, for {} reasons, "
                                        "which are listed; the first: {}",
                                        found.refusals.count(), first.text)};
  return answer;
}

}  // namespace casemate::inspect
