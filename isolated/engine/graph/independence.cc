// SPDX-License-Identifier: Apache-2.0
// A value is *batched* when its row-major elements are those of item 0, then of item 1, and so on,
// and its extent 0 is that of one item times the batch size. Each operator has a rule that says
// when its result is batched if its inputs are; values that no input reaches are *shared* by all
// items.
#include "isolated/engine/graph/independence.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "isolated/engine/graph/activation.h"

namespace casemate::engine {
namespace {

class Proof final {
 public:
  explicit Proof(const Graph& graph) : graph_(graph), batched_(graph.value_count()) {}

  bool holds() {
    for (const ValueId id : graph_.inputs()) {
      if (!whole_batch(id)) return false;
      batched_[id.index] = true;
    }
    for (const Node& node : graph_.nodes()) {
      if (std::ranges::none_of(node.inputs, [&](ValueId id) { return batched(id); })) continue;
      if (!node.post_ops.empty() || !keeps_items_apart(node)) return false;
      for (const ValueId id : node.outputs) {
        if (!id.present()) continue;
        if (!scales(id)) return false;
        batched_[id.index] = true;
      }
    }
    return std::ranges::all_of(graph_.outputs(), [&](ValueId id) { return batched(id); });
  }

 private:
  bool batched(ValueId id) const { return id.present() && batched_[id.index]; }
  const Shape& shape(ValueId id) const { return graph_.value(id).shapes.front(); }

  // Extent 0 is the batch size.
  bool whole_batch(ValueId id) const { return scales(id) && shape(id)[0] == 1; }

  // Extent 0 is a multiple of the batch size, and nothing else depends on it.
  bool scales(ValueId id) const {
    const std::vector<Shape>& shapes = graph_.value(id).shapes;
    const Shape& one = shapes.front();
    if (one.rank() == 0) return false;
    for (size_t variant = 0; variant < shapes.size(); ++variant) {
      Shape expected = one;
      expected[0] *= graph_.batch_sizes()[variant];
      if (shapes[variant] != expected) return false;
    }
    return true;
  }

  // The result has as many rows (extent 0) as the input: rows go to rows of the same number.
  bool same_rows(const Node& node, ValueId input) const {
    const auto& from = graph_.value(input).shapes;
    const auto& to = graph_.value(node.output()).shapes;
    for (size_t variant = 0; variant < from.size(); ++variant) {
      if (from[variant].rank() == 0 || to[variant].rank() == 0 ||
          from[variant][0] != to[variant][0])
        return false;
    }
    return true;
  }

  bool others_shared(const Node& node) const {
    return std::ranges::none_of(node.inputs.begin() + 1, node.inputs.end(),
                                [&](ValueId id) { return batched(id); });
  }

  // Broadcasting against a result: a batched operand has its rows, a shared one is the same for
  // all.
  bool broadcasts(const Node& node, ValueId id) const {
    if (!id.present()) return true;
    const uint32_t rank = shape(node.output()).rank();
    if (batched(id)) return shape(id).rank() == rank && same_rows(node, id);
    return shape(id).rank() < rank || shape(id)[0] == 1;
  }
  bool all_broadcast(const Node& node) const {
    return std::ranges::all_of(node.inputs, [&](ValueId id) { return broadcasts(node, id); });
  }

  bool matmul(const Node& node) const {
    const ValueId a = node.inputs[0];
    const ValueId b = node.inputs[1];
    const uint32_t rank = shape(node.output()).rank();
    // Extent 0 of a left matrix is its rows, of a right one the summed dimension.
    if (batched(a) && (shape(a).rank() != rank || rank < 2 || !same_rows(node, a))) return false;
    if (batched(b) && (shape(b).rank() != rank || rank < 3 || !same_rows(node, b))) return false;
    if (!batched(a)) return shape(a).rank() < rank || shape(a)[0] == 1;
    return batched(b) || shape(b).rank() <= 2 || shape(b).rank() < rank || shape(b)[0] == 1;
  }

  bool gemm(const Node& node) const {
    if (node.attributes.integer("transA", 0) != 0 || !batched(node.inputs[0]) ||
        batched(node.inputs[1]))
      return false;
    return broadcasts(node, node.input(2));
  }

  bool concat(const Node& node) const {
    const int64_t axis = node.attributes.integer("axis", 0);
    return axis != 0 && axis + static_cast<int64_t>(shape(node.output()).rank()) != 0 &&
           std::ranges::all_of(node.inputs,
                               [&](ValueId id) { return batched(id) && same_rows(node, id); });
  }

  // One number for all items, in every batch.
  bool one_number(ValueId id) const {
    return !batched(id) && std::ranges::all_of(graph_.value(id).shapes, [](const Shape& shape) {
      return shape.element_count().value_or(0) == 1;
    });
  }

  // Elements are told in steps of one scale, or of those along an axis that is not the items'.
  bool quantises(const Node& node) const {
    const ValueId x = node.inputs[0];
    if (!batched(x) || !others_shared(node) || !same_rows(node, x)) return false;
    const int64_t rank = shape(x).rank();
    const int64_t given = node.attributes.integer("axis", 1);
    const int64_t axis = given < 0 ? given + rank : given;
    return std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](ValueId id) {
      return !id.present() || one_number(id) || (rank > 1 && axis > 0 && shape(id).rank() == 1);
    });
  }

  // Rows of items by a matrix that all share: what quantises the rows is one number, since several
  // would be those of rows.
  bool integer_matmul(const Node& node) const {
    const bool scaled = node.op == "QLinearMatMul";
    const ValueId a = node.inputs[0];
    const ValueId b = node.inputs[scaled ? 3 : 1];
    const uint32_t rank = shape(node.output()).rank();
    if (!batched(a) || !others_shared(node) || rank < 2 || shape(a).rank() != rank ||
        shape(b).rank() > 2 || !same_rows(node, a))
      return false;
    const auto one = [&](size_t input) {
      return !node.input(input).present() || one_number(node.inputs[input]);
    };
    return scaled ? one(1) && one(2) && one(6) && one(7) : one(2);
  }

  bool inner_axes(const Node& node) const {
    const std::vector<int64_t> axes = node.attributes.integers("axes");
    return !axes.empty() && std::ranges::none_of(axes, [](int64_t axis) { return axis == 0; });
  }

  // What is told below from attributes is told of the canonical form. Of nodes as operator sets
  // have them only these mean the same in every set: others may have their lists in inputs, count
  // axes from the end, train, or give indices into the whole batch.
  static bool means_the_same(const Node& node) {
    static constexpr std::array<std::string_view, 17> kSame = {"Add",
                                                               "Cast",
                                                               "Concat",
                                                               "DequantizeLinear",
                                                               "Div",
                                                               "GlobalMaxPool",
                                                               "GlobalAveragePool",
                                                               "Identity",
                                                               "Max",
                                                               "MatMul",
                                                               "MatMulInteger",
                                                               "Min",
                                                               "Mul",
                                                               "PRelu",
                                                               "QLinearMatMul",
                                                               "QuantizeLinear",
                                                               "Sub"};
    return !node.raw || node.op == "Pow" || std::ranges::contains(kSame, node.op);
  }

  bool keeps_items_apart(const Node& node) const {
    const std::string_view op = node.op;
    const ValueId x = node.inputs.front();
    if (!x.present() || (!means_the_same(node) && !as_post_op(graph_, node))) return false;
    const auto first_of = [&](std::string_view name, int64_t otherwise) {
      const std::vector<int64_t> list = node.attributes.integers(name);
      return list.empty() ? otherwise : list.front();
    };
    if (as_post_op(graph_, node) || op == "Identity" || op == "Cast") return same_rows(node, x);
    if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div" || op == "Min" || op == "Max" ||
        op == "Pow" || op == "PRelu") {
      return all_broadcast(node);
    }
    if (op == "MatMul") return matmul(node);
    if (op == "QuantizeLinear" || op == "DequantizeLinear") return quantises(node);
    if (op == "QLinearMatMul" || op == "MatMulInteger") return integer_matmul(node);
    if (op == "Gemm") return gemm(node);
    if (op == "Concat") return concat(node);
    if (!batched(x) || !others_shared(node)) return false;
    if (op == "Conv" || op == "QLinearConv" || op == "ConvInteger" || op == "MaxPool" ||
        op == "AveragePool" || op == "GlobalAveragePool" || op == "GlobalMaxPool" ||
        op == "BatchNormalization") {
      return shape(x).rank() >= 2 && same_rows(node, x);
    }
    // Row-major elements stay where they are; that extent 0 still scales is checked for every
    // result.
    if (op == "Reshape") return true;
    if (op == "Softmax" || op == "LogSoftmax") {
      return node.attributes.integer("axis", 0) > 0 && same_rows(node, x);
    }
    if (op.starts_with("Reduce")) return inner_axes(node) && same_rows(node, x);
    if (op == "Transpose") return first_of("perm", -1) == 0;
    if (op == "Slice")
      return first_of("starts", -1) == 0 && first_of("steps", -1) == 1 && same_rows(node, x);
    if (op == "Pad" || op == "Expand") {
      return first_of("pads", 0) == 0 && same_rows(node, x) &&
             shape(x).rank() == shape(node.output()).rank();
    }
    return false;
  }

  const Graph& graph_;
  std::vector<bool> batched_;
};

}  // namespace

bool items_independent(const Graph& graph) {
  if (graph.batch_sizes().front() != 1 || graph.variant_count() < 2 || graph.inputs().empty())
    return false;
  return Proof(graph).holds();
}

}  // namespace casemate::engine
