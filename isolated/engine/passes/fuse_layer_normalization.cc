// SPDX-License-Identifier: Apache-2.0
// Layer normalization (Ba, Kiros and Hinton 2016) as exporters wrote it before it was an operator:
//
//   d = x - ReduceMean(x);  y = d / Sqrt(ReduceMean(d^2) + epsilon) * scale [+ shift]
//
// over the last dimension.
#include <algorithm>

#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/view.h"

namespace casemate::engine {
namespace {

struct Found {
  ValueId x, scale, shift;
  double epsilon = 0;
  size_t last = 0;
};

class Matcher final {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph), uses_(graph) {}

  // Around that Sqrt.
  std::optional<Found> find(const Node& root) const {
    Found found;
    const Node* sum = maker(root.inputs[0], "Add");
    if (sum == nullptr) return std::nullopt;
    const auto right = scalar_of(graph_, sum->inputs[1]);
    const auto epsilon = right ? right : scalar_of(graph_, sum->inputs[0]);
    const Node* variance = maker(sum->inputs[right ? 0 : 1], "ReduceMean");
    if (!epsilon || variance == nullptr) return std::nullopt;
    found.epsilon = *epsilon;
    const auto deviation = squared(variance->inputs[0]);
    const auto centered = deviation ? centered_of(*deviation) : std::nullopt;
    if (!centered || !averages_last(*variance)) return std::nullopt;
    found.x = *centered;
    return behind(root, found) ? std::optional(found) : std::nullopt;
  }

 private:
  const Shape& shape(ValueId id) const { return graph_.value(id).shapes.front(); }

  const Node* maker(ValueId id, std::string_view op) const {
    const auto index = uses_.maker(id);
    if (!index || graph_.nodes()[*index].op != op) return nullptr;
    return &graph_.nodes()[*index];
  }
  std::optional<size_t> reader(ValueId id, std::string_view op) const {
    const auto index = uses_.only_reader(id);
    return index && graph_.nodes()[*index].op == op ? index : std::nullopt;
  }

  // Along the last dimension, which stays as one of extent 1.
  bool averages_last(const Node& mean) const {
    const Shape& from = shape(mean.inputs[0]);
    return !mean.raw && from.rank() > 0 && shape(mean.output()).rank() == from.rank() &&
           mean.attributes.integers("axes") == std::vector<int64_t>{from.rank() - 1};
  }

  std::optional<ValueId> squared(ValueId id) const {
    if (const Node* power = maker(id, "Pow"))
      return scalar_of(graph_, power->inputs[1]) == 2.0 ? std::optional(power->inputs[0])
                                                        : std::nullopt;
    const Node* product = maker(id, "Mul");
    if (product == nullptr || product->inputs[0] != product->inputs[1]) return std::nullopt;
    return product->inputs[0];
  }

  // The x of x - ReduceMean(x).
  std::optional<ValueId> centered_of(ValueId id) const {
    const Node* difference = maker(id, "Sub");
    if (difference == nullptr) return std::nullopt;
    const Node* mean = maker(difference->inputs[1], "ReduceMean");
    if (mean == nullptr || mean->inputs[0] != difference->inputs[0] || !averages_last(*mean))
      return std::nullopt;
    return difference->inputs[0];
  }

  bool row(ValueId id, int64_t columns) const {
    const Shape& found = shape(id);
    return found.rank() > 0 && found[found.rank() - 1] == columns &&
           found.element_count().value_or(0) == static_cast<uint64_t>(columns);
  }

  // Division by the root, times the scale, plus the shift.
  bool behind(const Node& root, Found& found) const {
    const Shape& whole = shape(found.x);
    const int64_t columns = whole[whole.rank() - 1];
    const auto division = reader(root.output(), "Div");
    if (!division) return false;
    const Node& quotient = graph_.nodes()[*division];
    if (quotient.inputs[1] != root.output() || centered_of(quotient.inputs[0]) != found.x)
      return false;
    const auto product = reader(quotient.output(), "Mul");
    if (!product) return false;
    const Node& scaled = graph_.nodes()[*product];
    found.scale = scaled.inputs[scaled.inputs[0] == quotient.output() ? 1 : 0];
    if (!row(found.scale, columns) || shape(scaled.output()) != whole) return false;
    found.last = *product;
    const auto sum = reader(scaled.output(), "Add");
    if (!sum) return true;
    const Node& shifted = graph_.nodes()[*sum];
    const ValueId shift = shifted.inputs[shifted.inputs[0] == scaled.output() ? 1 : 0];
    if (row(shift, columns) && shape(shifted.output()) == whole) {
      found.shift = shift;
      found.last = *sum;
    }
    return true;
  }

  const Graph& graph_;
  Uses uses_;
};

}  // namespace

void fuse_layer_normalization(Graph& graph) {
  if (graph.variant_count() != 1) return;
  const Matcher matcher(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& root = graph.nodes()[i];
    if (root.op != "Sqrt" || !root.output().present() ||
        graph.value(root.output()).type != ElementType::kFloat32) {
      continue;
    }
    const auto found = matcher.find(root);
    if (!found) continue;
    Node& last = graph.nodes()[found->last];
    last.op = "LayerNormalization";
    last.inputs = {found->x, found->scale};
    if (found->shift.present()) last.inputs.push_back(found->shift);
    last.attributes = {{"axis", int64_t{-1}}, {"epsilon", static_cast<float>(found->epsilon)}};
    last.since = 0;
    last.raw = false;
  }
}

}  // namespace casemate::engine
