// SPDX-License-Identifier: Apache-2.0
// What else lies between DequantizeLinear and QuantizeLinear, on the bytes themselves: sums,
// averages, the largest of a window, what only moves elements, and any function of one element, as
// a table.
#include <algorithm>
#include <array>
#include <cmath>

#include "isolated/engine/graph/activation.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/quantised.h"

namespace casemate::engine {
namespace {

using Scales = std::vector<float>;
using Zeros = std::vector<int64_t>;

bool image(const Graph& graph, ValueId id) {
  const Shape& shape = graph.value(id).shapes.front();
  return (shape.rank() == 3 || shape.rank() == 4) &&
         std::ranges::none_of(shape.dims(), [](int64_t extent) { return extent == 0; });
}

class Fuser final {
 public:
  explicit Fuser(Graph& graph) : graph_(graph), view_(graph) {}

  void run() {
    std::vector<Node> ready;
    for (size_t i = 0; i < graph_.nodes().size(); ++i) {
      Node node = graph_.nodes()[i];
      std::vector<Node> before;
      if (auto made = fused(node, before)) {
        made->outputs = node.outputs;
        made->name = node.name;
        node = *std::move(made);
      }
      std::ranges::move(before, std::back_inserter(ready));
      ready.push_back(std::move(node));
    }
    graph_.nodes() = std::move(ready);
  }

 private:
  // What takes the place of the QuantizeLinear, with what is to run before it.
  std::optional<Node> fused(const Node& node, std::vector<Node>& before) {
    const auto to = view_.target(node);
    if (!to) return std::nullopt;
    if (auto table = table_of(node, *to)) return table;
    const Node* const inner = view_.only_maker(node.inputs[0]);
    if (inner == nullptr || !inner->post_ops.empty()) return std::nullopt;
    if (inner->op == "Relu") {
      const Node* const sum = view_.only_maker(inner->inputs[0]);
      return sum == nullptr ? std::nullopt : sum_of(*sum, *to, {{.op = "Relu"}});
    }
    if (auto sum = sum_of(*inner, *to, {})) return sum;
    if (inner->op == "Concat") return concat(*inner, *to, before);
    if (inner->inputs.empty()) return std::nullopt;
    const auto from = view_.source(inner->inputs[0]);
    if (!from) return std::nullopt;
    if (auto average = average_of(*inner, *from, *to)) return average;
    if (!moves(*inner) || !from->same_steps(*to)) return std::nullopt;
    Node moved = *inner;
    moved.inputs[0] = from->bytes;
    return moved;
  }

  // Whether it makes nothing that its input does not hold.
  bool moves(const Node& node) const {
    const bool maximum = node.op == "MaxPool" && image(graph_, node.inputs[0]);
    return !node.raw && node.outputs.size() == 1 &&
           (maximum || node.op == "Reshape" || node.op == "Transpose" || node.op == "Slice" ||
            node.op == "Expand");
  }

  std::optional<Node> sum_of(const Node& node, const Scaled& to, std::vector<PostOp> post_ops) {
    if (node.op != "Add" || !node.post_ops.empty()) return std::nullopt;
    const auto a = view_.source(node.inputs[0]);
    const auto b = view_.source(node.inputs[1]);
    const auto& shapes = graph_.value(node.output()).shapes;
    if (!a || !b || graph_.value(a->bytes).shapes != shapes ||
        graph_.value(b->bytes).shapes != shapes)
      return std::nullopt;
    return Node{.op = "casemate:QLinearAdd",
                .inputs = {a->bytes, b->bytes},
                .attributes = {{"scales", Scales{a->scale_value, b->scale_value, to.scale_value}},
                               {"zeros", Zeros{a->zero_value, b->zero_value, to.zero_value}}},
                .post_ops = std::move(post_ops)};
  }

  std::optional<Node> average_of(const Node& node, const Scaled& from, const Scaled& to) const {
    const bool global = node.op == "GlobalAveragePool";
    if ((!global && (node.op != "AveragePool" || node.raw)) || !image(graph_, node.inputs[0]))
      return std::nullopt;
    Node made{.op = global ? "casemate:QLinearGlobalAveragePool" : "casemate:QLinearAveragePool",
              .inputs = {from.bytes},
              .attributes = node.attributes};
    made.attributes.set("scales", Scales{from.scale_value, to.scale_value});
    made.attributes.set("zeros", Zeros{from.zero_value, to.zero_value});
    return made;
  }

  // Parts in other steps than the whole are brought into its steps first.
  std::optional<Node> concat(const Node node, const Scaled& to, std::vector<Node>& before) {
    Node made{.op = "Concat", .attributes = node.attributes};
    for (const ValueId id : node.inputs) {
      const auto from = view_.source(id);
      if (!from) return std::nullopt;
      if (from->same_steps(to)) {
        made.inputs.push_back(from->bytes);
        continue;
      }
      Node table = table_node(*from, tabulated(*from, to, {}), node.name);
      const Value& part = graph_.value(from->bytes);
      const ValueId moved = graph_.add_node(
          table, {{part.name + "/" + std::to_string(graph_.value_count()), to.type, part.shapes}});
      before.push_back(graph_.nodes().back());
      graph_.nodes().pop_back();
      made.inputs.push_back(moved);
    }
    return made;
  }

  // Functions of one element, one behind the other.
  std::optional<Node> table_of(const Node& node, const Scaled& to) {
    std::vector<const Node*> functions;
    ValueId real = node.inputs[0];
    for (;;) {
      if (const auto from = view_.source(real)) {
        if (functions.empty() && from->same_steps(to))
          return Node{.op = "Identity", .inputs = {from->bytes}};
        const auto table = tabulated(*from, to, functions);
        if (table.size() != 256) return std::nullopt;
        return table_node(*from, table, node.name);
      }
      const Node* const maker = view_.only_maker(real);
      if (maker == nullptr || maker->inputs.empty() || !as_post_op(graph_, *maker) ||
          Operators::instance().find(maker->op) == nullptr)
        return std::nullopt;
      functions.insert(functions.begin(), maker);
      real = maker->inputs[0];
    }
  }

  Node table_node(const Scaled& from, const std::vector<uint8_t>& table, const std::string& name) {
    const ValueId constant = graph_.add_constant(
        name + "/table", Tensor::of<uint8_t>(Shape{256}, std::span<const uint8_t>(table)));
    return {.op = "casemate:ByteTable", .name = name, .inputs = {from.bytes, constant}};
  }

  // What becomes of each byte.
  std::vector<uint8_t> tabulated(const Scaled& from, const Scaled& to,
                                 const std::vector<const Node*>& functions) const {
    Tensor reals = *Tensor::unset(ElementType::kFloat32, {256});
    for (size_t i = 0; i < 256; ++i) {
      const int32_t byte = from.type == ElementType::kInt8 ? int32_t{static_cast<int8_t>(i)}
                                                           : static_cast<int32_t>(i);
      reals.values<float>()[i] = static_cast<float>(byte - from.zero_value) * from.scale_value;
    }
    for (const Node* const function : functions) {
      auto next = applied(*function, reals);
      if (!next) return {};
      reals = *std::move(next);
    }
    const float low = to.type == ElementType::kInt8 ? -128 : 0;
    std::vector<uint8_t> table;
    for (const float real : std::as_const(reals).values<float>()) {
      const float whole = std::nearbyint(real / to.scale_value) + static_cast<float>(to.zero_value);
      const float byte = whole > low ? std::min(whole, low + 255) : low;
      table.push_back(static_cast<uint8_t>(static_cast<int32_t>(byte)));
    }
    return table;
  }

  // The function of each of these numbers.
  static std::optional<Tensor> applied(const Node& function, const Tensor& reals) {
    class Nobody final : public Host {
     public:
      Status allow(uint64_t) override { return {}; }
      Result<std::vector<Datum>> run(const Graph&, std::vector<Datum>) override {
        return Error{Code::kUnsupported, "a table needs no subgraphs"};
      }
    };
    Nobody host;
    Node node = function;
    // In canonical form Clip has its bounds as it had them until operator set 10.
    if (!node.raw) node.since = node.op == "Clip" ? 6 : 0;
    const Datum datum(reals);
    Computation computation(node, {Fact::of(datum)}, host, Computation::Mode::kRun);
    if (!Operators::instance().find(node.op)(computation)) return std::nullopt;
    const Tensor* const made = computation.outputs().front().tensor();
    if (made == nullptr || made->type() != ElementType::kFloat32 || made->count() != 256)
      return std::nullopt;
    return *made;
  }

  Graph& graph_;
  Quantised view_;
};

}  // namespace

void fuse_quantised_values(Graph& graph) { Fuser(graph).run(); }

}  // namespace casemate::engine
