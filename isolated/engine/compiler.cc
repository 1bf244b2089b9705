// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/compiler.h"

#include <algorithm>

#include "isolated/engine/passes/canonical.h"
#include "isolated/engine/passes/passes.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Which values of the general graph somebody needs after the plan has run.
std::vector<bool> needed_later(const Graph& general, const Specialised& made) {
  std::vector<bool> needed(general.value_count());
  for (const ValueId id : general.outputs()) needed[id.index] = true;
  for (const size_t node : made.put_off) {
    for (const ValueId id : general.nodes()[node].inputs) {
      if (id.present()) needed[id.index] = true;
    }
  }
  return needed;
}

// The nodes of `nodes` as a graph of their own, which reads what is `had` by then.
void split_rest(const Graph& general, const std::vector<size_t>& nodes,
                const std::vector<bool>& had, Compiled& compiled) {
  compiled.rest = std::make_unique<Graph>(Graph::unshaped());
  Graph& rest = *compiled.rest;
  std::vector<ValueId> ids(general.value_count());
  for (const size_t index : nodes) {
    Node node = general.nodes()[index];
    for (ValueId& id : node.inputs) {
      if (!id.present()) continue;
      const Value& value = general.value(id);
      if (!ids[id.index].present()) {
        CHECK(had[id.index], "what nobody makes was there before");
        if (value.constant) {
          ids[id.index] = rest.add_constant(value.name, *value.constant);
        } else {
          ids[id.index] = rest.add_input({value.name, value.type});
          compiled.rest_inputs.push_back(id);
        }
      }
      id = ids[id.index];
    }
    const std::vector<ValueId> outputs = node.outputs;
    std::vector<Made> made;
    for (const ValueId id : outputs)
      made.push_back({id.present() ? general.value(id).name : "", ElementType::kNone});
    rest.add_node(std::move(node), std::move(made));
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].present()) ids[outputs[i].index] = rest.nodes().back().outputs[i];
    }
  }
  for (const ValueId id : general.outputs()) {
    if (had[id.index] || std::ranges::contains(compiled.rest_outputs, id)) continue;
    rest.add_output(ids[id.index]);
    compiled.rest_outputs.push_back(id);
  }
}

// Nodes that were put off and can run at once come first; behind them the rest, whose shapes are
// known when they have run.
void split_put_off(const Graph& general, const Specialised& made, Compiled& compiled) {
  std::vector<bool> had(general.value_count());
  for (uint32_t i = 0; i < general.value_count(); ++i) had[i] = made.has({i});
  for (const ValueId id : general.inputs()) had[id.index] = true;  // sequences and text as well
  const std::vector<bool> before = had;
  std::vector<size_t> rest;
  for (const size_t index : made.put_off) {
    const Node& node = general.nodes()[index];
    const auto there = [&](ValueId id) { return !id.present() || before[id.index]; };
    if (!std::ranges::all_of(node.inputs, there)) {
      rest.push_back(index);
      continue;
    }
    compiled.ready.push_back(index);
    for (const ValueId id : node.outputs) {
      if (id.present()) had[id.index] = true;
    }
  }
  if (!rest.empty()) split_rest(general, rest, had, compiled);
}

// Measured: oneDNN's depth-wise convolutions in blocks of channels make up for the slower products
// between them, the more so the larger the batch; all else is faster with the channels last, those
// that are one with the product behind them included.
Layout preferred_layout(const Graph& graph) {
  int64_t alone = 0;
  int64_t separable = 0;
  for (const Node& node : graph.nodes()) {
    const std::vector<int64_t> kernel = node.attributes.integers("kernel_shape");
    if (std::ranges::all_of(kernel, [](int64_t extent) { return extent == 1; })) continue;
    separable += node.op == "casemate:SeparableConv";
    alone += node.op == "Conv" && node.attributes.integer("group", 1) > 1 &&
             node.attributes.integer("group", 1) == graph.value(node.inputs[0]).shapes[0][1];
  }
  return alone > separable ? Layout::kBlocked16 : Layout::kChannelsLast;
}

}  // namespace

bool Compiled::fits(const std::vector<Fact>& facts) const {
  return std::ranges::equal(inputs, facts, [](const Fact& a, const Fact& b) {
    return a.given == b.given && a.type == b.type && a.shape == b.shape;
  });
}

Compiler::Compiler(uint64_t memory_bytes_max, const Prepared* before)
    : code_(Code::kFixed), memory_bytes_max_(memory_bytes_max) {
  if (before != nullptr) {
    derivations_ = before->derivations;
    before_ = &before->forms;
  }
  derivations_.freeze();
}

Result<Compiled> Compiler::compile(const Graph& general, const std::vector<Fact>& inputs,
                                   Code code) {
  Specialised made = TRY(specialise(general, inputs, derivations_, memory_bytes_max_));
  Compiled compiled;
  compiled.inputs = inputs;
  compiled.threads = thread_count();
  for (Fact& fact : compiled.inputs) fact.datum = nullptr;
  const std::vector<bool> needed = needed_later(general, made);
  const auto planned = [&](ValueId id) { return made.known[id.index].id.present(); };
  compiled.complete = made.put_off.empty() && std::ranges::all_of(general.outputs(), planned);
  if (compiled.complete) compiled.live = general.outputs();
  for (uint32_t i = 0; !compiled.complete && i < general.value_count(); ++i) {
    if (!needed[i] || !made.has({i})) continue;
    if (made.known[i].datum) {
      compiled.constants.emplace_back(ValueId{i}, *made.known[i].datum);
    } else {
      compiled.live.push_back({i});
    }
  }
  for (const ValueId id : compiled.live) made.graph.add_output(made.known[id.index].id);
  split_put_off(general, made, compiled);
  Packer& packer = packer_for(compiled);
  if (code == Code::kFixed) {
    compiled.plan = TRY(plan_fixed(made.graph, packer));
    return compiled;
  }
  make_canonical(made.graph);
  compiled.plan = TRY(plan_generated(made.graph, packer));
  return compiled;
}

Result<Compiled> Compiler::compile_shaped(Graph shaped) {
  Compiled compiled;
  for (const ValueId id : shaped.inputs())
    compiled.inputs.push_back(Fact::of(shaped.value(id).type, shaped.value(id).shapes.front()));
  compiled.complete = true;
  Packer& packer = packer_for(compiled);
  compiled.plan =
      TRY(code_ == Code::kFixed ? plan_own_loops(shaped, packer) : plan_generated(shaped, packer));
  return compiled;
}

Packer& Compiler::packer_for(Compiled& compiled) {
  if (packer_ != nullptr) return *packer_;
  compiled.own = std::make_unique<Packer>(before_);
  return *compiled.own;
}

Result<Plan> Compiler::plan_generated(Graph& canonical, Packer& packer) {
  TRY(optimize(canonical, derivations_));
  return make_plan(canonical, 0, preferred_layout(canonical), packer, false, memory_bytes_max_);
}

Result<Plan> Compiler::plan_own_loops(Graph& canonical, Packer& packer) {
  TRY(optimize(canonical, derivations_, Fusion::kOwnLoops));
  return make_plan(canonical, 0, Layout::kChannelsLast, packer, true, memory_bytes_max_);
}

// Our own loops take most of what passes make. Where they do not, each node runs its operator's
// function on the graph as it was.
Result<Plan> Compiler::plan_fixed(Graph& graph, Packer& packer) {
  Graph better = graph;
  make_canonical(better);
  auto plan = plan_own_loops(better, packer);
  if (plan || plan.error().code != casemate::Code::kUnsupported) return plan;
  graph.remove_dead();
  return make_plan(graph, 0, Layout::kChannelsLast, packer, true, memory_bytes_max_);
}

namespace {

// Follows derivations from the constants that are known to what was made of them.
class Carrier final {
 public:
  Carrier(Packer& packer, Prepared& prepared) : packer_(packer), prepared_(prepared) {}

  void know(const Tensor& constant, const Tensor& kept) {
    if (known_.emplace(constant.identity(), kept).second)
      packer_.list(constant, kept, prepared_.forms);
  }

  // True when it was not known before, and is now.
  Result<bool> carry(const std::string& how, const std::vector<Tensor>& sources,
                     const std::vector<Tensor>& results) {
    std::vector<Tensor> kept_sources;
    for (const Tensor& source : sources) {
      const auto found = known_.find(source.identity());
      if (found == known_.end()) return false;
      kept_sources.push_back(found->second.reshaped(source.shape()));
    }
    if (prepared_.derivations.find(how, kept_sources) != nullptr) return false;
    const auto wanted = [&](const Tensor& result) {
      return result.byte_count() < kSmallConstant || packer_.packed(result);
    };
    if (!std::ranges::all_of(results, wanted)) return false;
    std::vector<Tensor> kept_results;
    for (const Tensor& result : results) {
      kept_results.push_back(result.byte_count() < kSmallConstant ? result
                                                                  : TRY(packer_.keep(result)));
      know(result, kept_results.back());
    }
    prepared_.derivations.add(how, std::move(kept_sources), std::move(kept_results));
    return true;
  }

 private:
  Packer& packer_;
  Prepared& prepared_;
  std::map<const void*, Tensor> known_;
};

}  // namespace

Status Compiler::prepare(const std::vector<KeptConstant>& constants, Prepared& prepared) const {
  Carrier carrier(*packer_, prepared);
  for (const auto& [constant, kept] : constants) carrier.know(constant, kept);
  Status status;
  for (bool more = true; more && status;) {
    more = false;
    derivations_.for_each([&](const std::string& how, const std::vector<Tensor>& sources,
                              const std::vector<Tensor>& results) {
      if (!status) return;
      const auto carried = carrier.carry(how, sources, results);
      if (!carried) status = carried.error();
      more = more || (carried && *carried);
    });
  }
  return status;
}

Result<std::optional<Graph>> Compiler::shaped(const Graph& general,
                                              const std::vector<Fact>& inputs) {
  Specialised made = TRY(specialise(general, inputs, derivations_, memory_bytes_max_));
  if (!made.put_off.empty()) return std::optional<Graph>();
  for (const ValueId id : general.outputs()) {
    if (!made.known[id.index].id.present()) return std::optional<Graph>();
    made.graph.add_output(made.known[id.index].id);
  }
  make_canonical(made.graph);
  made.graph.remove_dead();
  return std::optional(std::move(made.graph));
}

}  // namespace casemate::engine
