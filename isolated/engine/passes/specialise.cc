// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/specialise.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/engine/interpret/interpreter.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

using Known = Specialised::Known;

// What shapes are computed with has a few elements; anything beyond this is data.
constexpr uint64_t kShapeElementsMax = 1024;
// What shapes are computed with takes a few steps, loops of exporters included.
constexpr uint64_t kStepsMax = 1 << 20;

// Draws something else each time it runs.
bool draws(const Node& node) {
  return node.op.starts_with("Random") || node.op == "Multinomial" || node.op == "Bernoulli" ||
         (node.op == "Dropout" && node.input(2).present());
}

// Inputs that the operator set gives one type have it.
Status check_types(const Node& node, const std::vector<Fact>& facts) {
  for (size_t i = 0; i < facts.size() && i < node.type_groups.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      const bool same = node.type_groups[i] != 0 && node.type_groups[i] == node.type_groups[k];
      if (!same || !facts[i].given || !facts[k].given || facts[i].type == facts[k].type) continue;
      return Error{Code::kInvalid,
                   formatted("its inputs {} and {} need one type, and have {} and {}", k, i,
                             name_of(facts[k].type), name_of(facts[i].type))};
    }
  }
  return {};
}

// Weights that are dequantised: passes read what they were made of, and hardly anybody the floats.
bool defers(const Node& node, const std::vector<Fact>& facts) {
  return node.op == "DequantizeLinear" && node.outputs.size() == 1 && facts.size() >= 2 &&
         (facts[0].type == ElementType::kInt8 || facts[0].type == ElementType::kUint8) &&
         (facts.size() < 3 || !facts[2].given || facts[2].type == facts[0].type);
}

// For what is made of constants, whenever that is.
class LaterHost final : public Host {
 public:
  Status allow(uint64_t) override { return {}; }
  Result<std::vector<Datum>> run(const Graph&, std::vector<Datum>) override {
    return Error{Code::kUnsupported, "constants are made without subgraphs"};
  }
};

class Specialiser final : public Host {
 public:
  Specialiser(Derivations& derivations, uint64_t memory_bytes_max, Refusals* refusals)
      : derivations_(derivations),
        memory_bytes_max_(memory_bytes_max),
        folded_bytes_max_(std::min(kFoldedBytesMax, memory_bytes_max)),
        refusals_(refusals) {}

  Result<Specialised> run(const Graph& general, const std::vector<Fact>& inputs);

 private:
  Result<std::vector<size_t>> walk(const Graph& general, std::vector<Known>& known);
  // True when all that the node makes is known, at least by type and shape.
  Result<bool> take(const Graph& general, size_t index, std::vector<Known>& known);
  Result<bool> take_branch(const Node& node, std::vector<Known>& known);
  Result<bool> fold(const Graph& general, size_t index, const std::vector<Fact>& facts,
                    std::vector<Known>& known);
  void keep(const Graph& general, const Node& node, const std::vector<Fact>& facts,
            std::vector<Datum> data, std::vector<Known>& known);
  Result<Tensor> deferred(const Node& node, const std::vector<Fact>& facts);
  void note_origin(const Node& node, const std::vector<Known>& known);
  Known constant(const std::string& name, Datum datum);
  Fact fact_of(ValueId id, const std::vector<Known>& known) const;

  Status allow(uint64_t bytes) override;
  Result<std::vector<Datum>> run(const Graph& graph, std::vector<Datum> inputs) override {
    return interpreter_.run(graph, std::move(inputs));
  }

  Derivations& derivations_;
  uint64_t memory_bytes_max_;
  uint64_t folded_bytes_max_;
  Refusals* refusals_;
  Interpreter interpreter_{{.memory_bytes_max = folded_bytes_max_, .steps_max = kStepsMax}};
  Graph graph_;
  uint64_t folded_bytes_ = 0;
  uint64_t granted_bytes_ = 0;  // what the node at hand may make for nothing
};

Status Specialiser::allow(uint64_t bytes) {
  if (bytes <= granted_bytes_ + (folded_bytes_max_ - folded_bytes_)) return {};
  return Error{Code::kTooLarge,
               formatted("a value would take {} bytes, the model may use {}: allow it more memory",
                         bytes, memory_bytes_max_)};
}

Fact Specialiser::fact_of(ValueId id, const std::vector<Known>& known) const {
  if (!id.present()) return {};
  const Known& found = known[id.index];
  if (found.datum) return Fact::of(*found.datum);
  const Value& value = graph_.value(found.id);
  return Fact::of(value.type, value.shapes.front());
}

Known Specialiser::constant(const std::string& name, Datum datum) {
  Known known;
  if (const Tensor* tensor = datum.tensor()) known.id = graph_.add_constant(name, *tensor);
  known.datum = std::move(datum);
  return known;
}

Result<Specialised> Specialiser::run(const Graph& general, const std::vector<Fact>& inputs) {
  Specialised result{Graph{}, std::vector<Known>(general.value_count()), {}};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = general.inputs()[i];
    const Fact& fact = inputs[i];
    // Sequences and text have no place in planned memory: what reads them waits.
    const bool held = fact.given && size_of(fact.type) != 0;
    const Made made = {general.value(id).name,
                       held ? fact.type : ElementType::kUint8,
                       {held ? fact.shape : Shape{0}}};
    const ValueId given = graph_.add_input(made);
    if (held) result.known[id.index].id = given;
    if (!fact.given) result.known[id.index].datum = Datum();
  }
  result.put_off = TRY(walk(general, result.known));
  result.graph = std::move(graph_);
  return result;
}

Result<std::vector<size_t>> Specialiser::walk(const Graph& general, std::vector<Known>& known) {
  for (uint32_t i = 0; i < general.value_count(); ++i) {
    if (const Tensor* tensor = general.constant({i}))
      known[i] = constant(general.value({i}).name, *tensor);
  }
  std::vector<size_t> put_off;
  for (size_t i = 0; i < general.nodes().size(); ++i) {
    const Node& node = general.nodes()[i];
    const bool possible = std::ranges::all_of(node.inputs, [&](ValueId id) {
      return !id.present() || known[id.index].id.present() || known[id.index].datum;
    });
    auto taken = possible ? take(general, i, known) : false;
    if (!taken) {
      Error error = taken.error();
      if (!error.text.starts_with("node '"))
        error.text = formatted("{}: {}", place_of(node), error.text);
      if (refusals_ == nullptr || !refusals_->note(error)) return error;
    }
    if (!taken || !*taken) put_off.push_back(i);
  }
  return put_off;
}

Result<bool> Specialiser::take(const Graph& general, size_t index, std::vector<Known>& known) {
  const Node& node = general.nodes()[index];
  const Compute compute = Operators::instance().find(node.op);
  if (compute == nullptr) return Error{Code::kUnsupported, "this operator is not supported"};
  std::vector<Fact> facts;
  for (const ValueId id : node.inputs) facts.push_back(fact_of(id, known));
  const auto sequence = [](const Fact& f) {
    return f.datum != nullptr && f.datum->sequence() != nullptr;
  };
  const bool all_known =
      std::ranges::all_of(facts, [](const Fact& f) { return !f.given || f.datum != nullptr; });
  if (node.op == "If" && facts.front().datum != nullptr && !all_known)
    return take_branch(node, known);
  if (all_known && !draws(node)) {
    if (TRY(fold(general, index, facts, known))) {
      note_origin(node, known);
      return true;
    }
  }
  if (std::ranges::any_of(facts, sequence)) return false;  // a shaped graph holds tensors
  TRY(check_types(node, facts));
  granted_bytes_ = memory_bytes_max_;  // nothing is computed
  Computation dry(node, facts, *this, Computation::Mode::kDry);
  const Status done = compute(dry);
  if (dry.outcome().unknown) return false;
  if (!dry.outcome().stopped) return done ? Error{Code::kInvalid, "makes nothing"} : done.error();
  const std::vector<Fact> made = dry.facts();
  uint64_t elements = 0;
  for (const Fact& fact : made) {
    if (fact.type == ElementType::kString && fact.datum == nullptr) return false;
    elements += TRY(fact.shape.element_count());
  }
  if (elements <= kShapeElementsMax && !draws(node)) {
    // Operators on shapes need no elements of what the shapes are of.
    granted_bytes_ = 0;
    Computation small(node, facts, *this, Computation::Mode::kRun);
    if (compute(small)) {
      keep(general, node, small.facts(), std::move(small.outputs()), known);
      return true;
    }
  }
  keep(general, node, made, std::move(dry.outputs()), known);
  return true;
}

// The node's one result, made when somebody asks for its elements.
Result<Tensor> Specialiser::deferred(const Node& node, const std::vector<Fact>& facts) {
  granted_bytes_ = memory_bytes_max_;  // nothing is computed yet
  const Compute compute = Operators::instance().find(node.op);
  Computation dry(node, facts, *this, Computation::Mode::kDry);
  const Status done = compute(dry);
  if (!dry.outcome().stopped) return done ? Error{Code::kInvalid, "makes nothing"} : done.error();
  const Fact made = dry.facts().front();
  std::vector<Datum> inputs;
  for (const Fact& fact : facts) inputs.push_back(fact.given ? *fact.datum : Datum());
  const uint64_t bytes = TRY(tensor_bytes(made.type, made.shape));
  return Tensor::deferred(made.type, made.shape, [=] {
    std::vector<Fact> known;
    for (size_t i = 0; i < inputs.size(); ++i)
      known.push_back(facts[i].given ? Fact::of(inputs[i]) : Fact{});
    LaterHost host;
    Computation real(node, known, host, Computation::Mode::kRun);
    const bool computed =
        static_cast<bool>(compute(real)) && real.outputs().front().tensor() != nullptr;
    return computed ? real.outputs().front().tensor()->copied() : std::string(bytes, '\0');
  });
}

// Remembers what a dequantised constant was made of, in a node that nobody reads: see quantised.h.
void Specialiser::note_origin(const Node& node, const std::vector<Known>& known) {
  if (node.op != "DequantizeLinear" || node.attributes.integer("block_size", 0) != 0) return;
  Node origin{.op = "casemate:Dequantised",
              .name = node.name,
              .attributes = {{"axis", node.attributes.integer("axis", 1)}}};
  for (const ValueId id : {node.output(), node.input(0), node.input(1), node.input(2)})
    origin.inputs.push_back(id.present() ? known[id.index].id : ValueId{});
  for (size_t i = 0; i < 3; ++i) {
    if (!origin.inputs[i].present()) return;
  }
  graph_.add_node(std::move(origin), {{node.name + "/origin", ElementType::kUint8, {Shape{}}}});
}

// The node's results as constants, where its inputs are. False when they would be too large.
Result<bool> Specialiser::fold(const Graph& general, size_t index, const std::vector<Fact>& facts,
                               std::vector<Known>& known) {
  const Node& node = general.nodes()[index];
  std::vector<Tensor> sources;
  for (const Fact& fact : facts) {
    const Tensor* tensor = fact.datum == nullptr ? nullptr : fact.datum->tensor();
    if (tensor != nullptr) sources.push_back(*tensor);
  }
  const std::string how = formatted("{} {}.{}", node.op, general.serial(), index);
  const auto name = [&](size_t i) { return formatted("{}/{}", node.name, i); };
  const auto wanted = [&](size_t i) { return node.outputs[i].present(); };
  if (const auto* found = derivations_.find(how, sources)) {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (wanted(i)) known[node.outputs[i].index] = constant(name(i), (*found)[i]);
    }
    return true;
  }
  if (defers(node, facts)) {
    Tensor later = TRY(deferred(node, facts));
    derivations_.add(how, std::move(sources), {later});
    if (wanted(0)) known[node.outputs[0].index] = constant(name(0), Datum(std::move(later)));
    return true;
  }
  granted_bytes_ = 0;
  for (const Tensor& source : sources) granted_bytes_ += source.byte_count();
  Computation real(node, facts, *this, Computation::Mode::kRun);
  const Status done = Operators::instance().find(node.op)(real);
  // While a model serves, its plans read them where they are.
  for (size_t i = 0; i < sources.size() && !derivations_.frozen(); ++i) sources[i].forget();
  if (!done && done.error().code == Code::kTooLarge) return false;
  if (!done) return done.error();
  // Each output was allowed for itself; together they may be too large.
  uint64_t bytes = 0;
  for (const Datum& made : real.outputs()) bytes += made.bytes();
  const uint64_t more = bytes - std::min(bytes, granted_bytes_);
  if (more > folded_bytes_max_ - folded_bytes_) return false;
  folded_bytes_ += more;
  std::vector<Tensor> results;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Datum& made = real.outputs()[i];
    if (made.tensor() != nullptr) results.push_back(*made.tensor());
    if (wanted(i)) known[node.outputs[i].index] = constant(name(i), std::move(made));
  }
  if (results.size() == node.outputs.size())
    derivations_.add(how, std::move(sources), std::move(results));
  return true;
}

// Notes what the node makes, and has it made by a node of the shaped graph unless it is known.
void Specialiser::keep(const Graph& general, const Node& node, const std::vector<Fact>& facts,
                       std::vector<Datum> data, std::vector<Known>& known) {
  Node copy = node;
  for (ValueId& id : copy.inputs) {
    if (id.present()) id = known[id.index].id;
  }
  std::vector<Made> made;
  bool constants = true;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const bool wanted = node.outputs[i].present();
    if (wanted && facts[i].datum == nullptr) constants = false;
    made.push_back(
        {wanted ? general.value(node.outputs[i]).name : "", facts[i].type, {facts[i].shape}});
  }
  if (!constants) {
    graph_.add_node(std::move(copy), std::move(made));
    const std::vector<ValueId> ids = graph_.nodes().back().outputs;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (node.outputs[i].present()) known[node.outputs[i].index] = {ids[i], std::nullopt};
    }
    return;
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].present())
      known[node.outputs[i].index] =
          constant(general.value(node.outputs[i]).name, std::move(data[i]));
  }
}

// The nodes of the branch that will be taken, in place of the If.
Result<bool> Specialiser::take_branch(const Node& node, std::vector<Known>& known) {
  const Tensor* condition = known[node.inputs.front().index].datum->tensor();
  if (condition == nullptr || condition->type() != ElementType::kBool || condition->count() != 1)
    return Error{Code::kInvalid, "its condition is not one BOOL"};
  const std::string name = condition->bytes()[0] != 0 ? "then_branch" : "else_branch";
  const Graph* branch = node.attributes.graph(name);
  const std::vector<int64_t> captures = node.attributes.integers(name + ".captures");
  if (branch == nullptr || branch->inputs().size() != captures.size() ||
      branch->outputs().size() < node.outputs.size())
    return Error{Code::kInvalid, "its branch does not fit it"};
  std::vector<Known> inner(branch->value_count());
  for (size_t i = 0; i < captures.size(); ++i)
    inner[branch->inputs()[i].index] = known[node.inputs[static_cast<size_t>(captures[i])].index];
  if (!TRY(walk(*branch, inner)).empty()) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].present()) known[node.outputs[i].index] = inner[branch->outputs()[i].index];
  }
  return true;
}

}  // namespace

Result<Specialised> specialise(const Graph& general, const std::vector<Fact>& inputs,
                               Derivations& derivations, uint64_t memory_bytes_max,
                               Refusals* refusals) {
  return Specialiser(derivations, memory_bytes_max, refusals).run(general, inputs);
}

}  // namespace casemate::engine
