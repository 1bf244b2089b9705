// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/subject.h"

#include <algorithm>
#include <set>

#include "base/format.h"
#include "isolated/engine/describe.h"
#include "isolated/engine/passes/specialise.h"
#include "isolated/inspect/answer.h"

namespace casemate::inspect {
namespace {

constexpr size_t kNameShown = 80;

void count(const engine::Graph& graph, Subject::Counts& counts) {
  for (uint32_t i = 0; i < graph.value_count(); ++i) {
    const engine::Tensor* constant = graph.constant({i});
    if (constant != nullptr) counts.weight_bytes += constant->byte_count();
  }
  for (const engine::Node& node : graph.nodes()) {
    ++counts.nodes;
    ++counts.operators[node.op];
    for (const char* name : {"body", "then_branch", "else_branch"}) {
      const engine::Graph* inner = node.attributes.graph(name);
      if (inner != nullptr) count(*inner, counts);
    }
  }
}

std::set<std::string> symbols_of(const std::vector<engine::Port>& inputs) {
  std::set<std::string> symbols;
  for (const engine::Port& input : inputs) {
    for (size_t i = 0; i < input.dims.size(); ++i) {
      if (input.dims[i] < 0 && !input.symbols[i].empty()) symbols.insert(input.symbols[i]);
    }
  }
  return symbols;
}

Status check_symbols(const std::set<std::string>& symbols, const Options& options) {
  std::string known;
  for (const std::string& symbol : symbols)
    known += formatted("{}{}", known.empty() ? "" : ", ", shortened(symbol, kNameShown));
  for (const auto& [name, extent] : options.shapes) {
    if (symbols.contains(name)) continue;
    return Error{Code::kInvalid,
                 formatted("no extent of the model's inputs is named '{}'; {}", name,
                           known.empty() ? "none that varies has a name"
                                         : formatted("there are {}", known))};
  }
  return {};
}

// The name of extent 0 of the first input where that varies; empty: there is none.
std::string batch_symbol(const std::vector<engine::Port>& inputs) {
  for (const engine::Port& input : inputs) {
    if (!input.dims.empty() && input.dims[0] < 0) return input.symbols[0];
  }
  return {};
}

}  // namespace

Status Subject::read(const Options& options, engine::Refusals& refusals) {
  auto model = engine::read_onnx(file_.bytes(), {.directory = options.folder(),
                                                 .memory_bytes_max = options.memory_bytes_max,
                                                 .file_tensors = &tensors_,
                                                 .refusals = &refusals});
  if (!model) {
    refusals.add(model.error());
    return model.error();
  }
  model_.emplace(*std::move(model));
  return {};
}

Subject::Counts Subject::counts() const {
  Counts counts;
  count(model_->graph, counts);
  return counts;
}

Result<engine::LoadOptions> Subject::load_options(const Options& options,
                                                  const std::vector<int64_t>& batch_sizes) const {
  TRY(check_symbols(symbols_of(model_->inputs), options));
  engine::LoadOptions load{.directory = options.folder(),
                           .memory_bytes_max = options.memory_bytes_max,
                           .batch_sizes = batch_sizes,
                           .threads = options.threads};
  const engine::Variation variation = engine::variation_of(model_->inputs);
  const std::string symbol = batch_symbol(model_->inputs);
  const auto named = options.shapes.find(symbol);
  const int64_t batch = named != options.shapes.end() ? named->second : options.batch;
  if (options.batch != 0 && batch != options.batch) {
    return Error{Code::kInvalid, formatted("--batch says {}, and --shape {}={}: leave one out",
                                           options.batch, symbol, batch)};
  }
  if (variation.batched) {
    if (batch != 0) load.batch_sizes = {batch};
    return load;
  }
  std::map<std::string, int64_t> shapes = options.shapes;
  if (batch != 0 && symbol.empty()) {
    return Error{Code::kInvalid,
                 "the model's batch cannot be chosen: extent 0 of its inputs is fixed, or varies "
                 "without a name"};
  }
  if (batch != 0) shapes[symbol] = batch;
  load.shapes = {shapes};
  return load;
}

std::vector<engine::Fact> Subject::facts(const engine::LoadOptions& options) const {
  const auto& named = options.shapes;
  return engine::facts_of(model_->inputs, [&](const std::string& symbol) {
    if (named.empty()) return options.batch_sizes.front();
    const auto found = named.front().find(symbol);
    return found == named.front().end() ? 1 : found->second;
  });
}

Result<engine::Graph> Subject::shaped(const engine::LoadOptions& options) const {
  TRY(engine::check_ports(*model_));
  engine::Compiler compiler(options.memory_bytes_max);
  auto made = TRY(compiler.shaped(model_->graph, facts(options)));
  if (made) return *std::move(made);
  return Error{Code::kUnsupported,
               "no plan can be made before there is data: what some nodes make has a shape that "
               "data decides on"};
}

void Subject::look_closer(const engine::LoadOptions& options, engine::Refusals& refusals) const {
  engine::Derivations derivations;
  const auto made = engine::specialise(model_->graph, facts(options), derivations,
                                       options.memory_bytes_max, &refusals);
  if (!made) refusals.add(made.error());
}

std::string text_of(const engine::Port& port) {
  std::string extents;
  for (size_t i = 0; i < port.dims.size(); ++i) {
    if (i > 0) extents += ',';
    extents += port.dims[i] >= 0         ? std::to_string(port.dims[i])
               : port.symbols[i].empty() ? "?"
                                         : shortened(port.symbols[i], kNameShown);
  }
  return formatted("{} {} {}", shortened(port.name, kNameShown), name_of(port.type),
                   port.shaped ? formatted("[{}]", extents) : "of any shape");
}

}  // namespace casemate::inspect
