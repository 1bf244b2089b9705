// SPDX-License-Identifier: Apache-2.0
// Gelu as exporters write it out (Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2):
//
//   x / 2 * (1 + erf(x / sqrt 2))                            as PyTorch does
//   x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))    as GPT-2 does
//
// The factors of the outermost product may stand in any order.
#include <cmath>
#include <numbers>

#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

constexpr double kInverseRoot2 = 1 / std::numbers::sqrt2;
constexpr double kTanhScale = 0.79788456080286536;  // sqrt(2 / pi)
constexpr double kTanhCubic = 0.044715;

// A value that was made of another one and a scalar constant.
struct Scaled {
  ValueId of;
  double factor = 1;
};

class Matcher final {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph), uses_(graph) {}

  // What the function at `node` is the inner part of, as Gelu; by `node` index of its last Mul.
  struct Found {
    size_t last;
    ValueId x;
  };
  std::optional<Found> find(const Node& inner) const {
    const auto x = inner.op == "Erf" ? erf_argument(inner.inputs[0]) : tanh_argument(inner);
    if (!x) return std::nullopt;
    const auto last = outer_product(inner.output(), *x);
    if (!last) return std::nullopt;
    return Found{*last, *x};
  }

 private:
  static bool near(double value, double wanted) {
    return std::fabs(value - wanted) <= 1e-4 * std::fabs(wanted);
  }

  std::optional<double> scalar(ValueId id) const {
    const Tensor* constant = graph_.constant(id);
    if (constant == nullptr || constant->type() != ElementType::kFloat32 || constant->count() != 1)
      return std::nullopt;
    return constant->values<float>()[0];
  }

  const Node* made_by(ValueId id, std::string_view op) const {
    const auto maker = uses_.maker(id);
    if (!maker || graph_.nodes()[*maker].op != op) return nullptr;
    const Node& node = graph_.nodes()[*maker];
    return node.post_ops.empty() ? &node : nullptr;
  }

  // Mul or Div by a scalar, seen as a factor.
  std::optional<Scaled> scaled(const Node& node) const {
    if (node.op == "Div") {
      const auto by = scalar(node.inputs[1]);
      if (by) return Scaled{node.inputs[0], 1 / *by};
    }
    if (node.op != "Mul") return std::nullopt;
    for (const size_t side : {0, 1}) {
      const auto by = scalar(node.inputs[side]);
      if (by) return Scaled{node.inputs[1 - side], *by};
    }
    return std::nullopt;
  }
  std::optional<Scaled> scaled(ValueId id) const {
    const auto maker = uses_.maker(id);
    return maker ? scaled(graph_.nodes()[*maker]) : std::nullopt;
  }

  std::optional<ValueId> erf_argument(ValueId argument) const {
    const auto found = scaled(argument);
    if (!found || !near(found->factor, kInverseRoot2)) return std::nullopt;
    return found->of;
  }

  // x * x * x, or Pow(x, 3).
  bool cube_of(ValueId id, ValueId x) const {
    if (const Node* power = made_by(id, "Pow"))
      return power->inputs[0] == x && scalar(power->inputs[1]) == 3.0;
    const Node* product = made_by(id, "Mul");
    if (product == nullptr) return false;
    for (const size_t side : {0, 1}) {
      const ValueId square = product->inputs[1 - side];
      if (product->inputs[side] != x) continue;
      if (const Node* power = made_by(square, "Pow"))
        return power->inputs[0] == x && scalar(power->inputs[1]) == 2.0;
      const Node* inner = made_by(square, "Mul");
      if (inner != nullptr && inner->inputs[0] == x && inner->inputs[1] == x) return true;
    }
    return false;
  }

  std::optional<ValueId> tanh_argument(const Node& tanh) const {
    const auto whole = scaled(tanh.inputs[0]);
    if (!whole || !near(whole->factor, kTanhScale)) return std::nullopt;
    const Node* sum = made_by(whole->of, "Add");
    if (sum == nullptr) return std::nullopt;
    for (const size_t side : {0, 1}) {
      const ValueId x = sum->inputs[side];
      const auto cubic = scaled(sum->inputs[1 - side]);
      if (cubic && near(cubic->factor, kTanhCubic) && cube_of(cubic->of, x)) return x;
    }
    return std::nullopt;
  }

  // From erf or tanh on: plus 1, times x, times 1/2.
  std::optional<size_t> outer_product(ValueId value, ValueId x) const {
    const auto sum = uses_.only_reader(value);
    if (!sum || graph_.nodes()[*sum].op != "Add") return std::nullopt;
    const Node& plus = graph_.nodes()[*sum];
    if (scalar(plus.inputs[plus.inputs[0] == value ? 1 : 0]) != 1.0) return std::nullopt;
    value = plus.output();
    double factor = 1;
    bool times_x = false;
    for (int products = 0; products < 2; ++products) {
      const auto reader = uses_.only_reader(value);
      if (!reader) return std::nullopt;
      const Node& node = graph_.nodes()[*reader];
      if (const auto by = scaled(node); by && by->of == value) {
        factor *= by->factor;
      } else if (node.op == "Mul" && !times_x) {
        const ValueId other = node.inputs[node.inputs[0] == value ? 1 : 0];
        const auto part = other == x ? Scaled{x, 1} : scaled(other);
        if (!part || part->of != x) return std::nullopt;
        factor *= part->factor;
        times_x = true;
      } else {
        return std::nullopt;
      }
      if (times_x && near(factor, 0.5)) return reader;
      value = node.output();
    }
    return std::nullopt;
  }

  const Graph& graph_;
  Uses uses_;
};

}  // namespace

void fuse_gelu(Graph& graph) {
  const Matcher matcher(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& inner = graph.nodes()[i];
    if ((inner.op != "Erf" && inner.op != "Tanh") || !inner.inputs[0].present() ||
        graph.value(inner.inputs[0]).type != ElementType::kFloat32) {
      continue;
    }
    const std::string form = inner.op == "Erf" ? "none" : "tanh";
    const auto found = matcher.find(inner);
    if (!found) continue;
    Node& last = graph.nodes()[found->last];
    if (graph.value(found->x).shapes != graph.value(last.output()).shapes) continue;
    last.op = "Gelu";
    last.inputs = {found->x};
    last.attributes = {{"approximate", form}};
    last.since = 0;
    last.raw = false;
  }
}

}  // namespace casemate::engine
