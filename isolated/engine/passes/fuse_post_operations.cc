// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "isolated/engine/graph/activation.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

// Inputs of the operator itself: operands of post-operations come behind them.
size_t own_inputs(const Node& node) {
  if (node.op == "casemate:DynamicGemm") return 6;
  return node.op == "MatMul" ? 2 : 3;
}

bool product(const Node& node) {
  return ((node.op == "Conv" || node.op == "Gemm") && !node.raw) || node.op == "MatMul" ||
         node.op == "casemate:DynamicGemm";
}

bool same_shape(const Graph& graph, ValueId a, ValueId b) {
  return graph.value(a).shapes == graph.value(b).shapes;
}

// A constant that is added to each row of a matrix product.
bool row_of(const Graph& graph, ValueId id, const Shape& result) {
  const Tensor* constant = graph.constant(id);
  if (constant == nullptr || result.rank() == 0) return false;
  return constant->shape().rank() >= 1 && constant->shape().rank() <= 2 &&
         constant->count() == static_cast<uint64_t>(result[result.rank() - 1]) &&
         constant->shape()[constant->shape().rank() - 1] == result[result.rank() - 1];
}

// What `reader` adds to the result of `node`, if that can be done while the result is made.
std::optional<ValueId> addend(const Graph& graph, const Node& node, const Node& reader) {
  if (reader.op != "Add" || reader.inputs[0] == reader.inputs[1] ||
      !same_shape(graph, node.output(), reader.output())) {
    return std::nullopt;
  }
  const ValueId other = reader.inputs[reader.inputs[0] == node.output() ? 1 : 0];
  const Shape& result = graph.value(node.output()).shapes.front();
  const bool row = node.op != "Conv" && row_of(graph, other, result);
  if (!same_shape(graph, other, node.output()) && !row) return std::nullopt;
  return other;
}

// Whether the product may add one more value: one constant row, which is a bias, and one other.
bool may_add(const Graph& graph, const Node& node, const Node& reader) {
  if (!product(node)) return false;
  const auto added = std::ranges::count(node.post_ops, "Add", &PostOp::op);
  if (added == 0) return true;
  const Shape& result = graph.value(node.output()).shapes.front();
  const PostOp& first = node.post_ops.front();
  return added == 1 && (node.op == "MatMul" || node.op == "casemate:DynamicGemm") &&
         first.op == "Add" &&
         row_of(graph, node.inputs[static_cast<size_t>(first.operand)], result) &&
         std::ranges::all_of(reader.inputs,
                             [&](ValueId id) { return same_shape(graph, id, reader.output()); });
}

// Takes the reader's work into the node, which moves to the reader's place, where the operands of
// both exist. False when it cannot be taken.
bool take(Graph& graph, Node& node, Node& reader) {
  if (const auto activation = as_post_op(graph, reader)) {
    node.post_ops.push_back(*activation);
  } else if (const auto other =
                 may_add(graph, node, reader) ? addend(graph, node, reader) : std::nullopt) {
    node.inputs.resize(std::max(node.inputs.size(), own_inputs(node)));
    node.post_ops.push_back({.op = "Add", .operand = static_cast<int>(node.inputs.size())});
    node.inputs.push_back(*other);
  } else {
    return false;
  }
  const std::vector<ValueId> outputs = reader.outputs;
  reader = node;
  reader.outputs = outputs;
  return true;
}

// An Add of two values of one shape has a fast kernel that can go on with an activation.
bool plain_sum(const Graph& graph, const Node& node) {
  return node.op == "Add" && same_shape(graph, node.inputs[0], node.inputs[1]) &&
         graph.constant(node.inputs[0]) == nullptr && graph.constant(node.inputs[1]) == nullptr;
}

// What kernels/epilogue.h takes: limits and slopes, and activations that it knows by name.
bool own_limits(const PostOp& post) {
  return post.op == "Relu" || post.op == "LeakyRelu" ||
         (post.op == "Clip" && post.alpha <= post.beta);
}
bool own_activation(const PostOp& post) {
  return own_limits(post) || post.op == "Tanh" || post.op == "Gelu" || post.op == "GeluTanh";
}

// Whether our own loops run the node, which is a product.
bool own_product(const Graph& graph, const Node& node) {
  if (graph.constant(node.input(1)) == nullptr || graph.constant(node.input(0)) != nullptr)
    return false;
  return node.op != "Conv" || node.attributes.integer("group", 1) == 1;
}

// A depth-wise convolution takes limits and slopes alone.
bool own_depthwise_takes(const Graph& graph, const Node& node, const Node& reader) {
  const int64_t group = node.attributes.integer("group", 1);
  const Shape& source = graph.value(node.inputs[0]).shapes.front();
  const auto activation = as_post_op(graph, reader);
  return node.op == "Conv" && graph.constant(node.input(1)) != nullptr && group == source[1] &&
         group == graph.value(node.output()).shapes.front()[1] && node.post_ops.empty() &&
         activation && own_limits(*activation);
}

// Whether they can do the reader's work as well, behind what they do already.
bool own_loops_take(const Graph& graph, const Node& node, const Node& reader) {
  if (!own_product(graph, node)) return own_depthwise_takes(graph, node, reader);
  const bool activated = !node.post_ops.empty() && node.post_ops.back().op != "Add";
  const bool dynamic = node.op == "casemate:DynamicGemm";
  if (const auto activation = as_post_op(graph, reader)) {
    return !activated && own_activation(*activation) && !(dynamic && activation->op == "LeakyRelu");
  }
  const Shape& result = graph.value(node.output()).shapes.front();
  const auto row = [&](ValueId id) {
    return graph.constant(id) == nullptr || row_of(graph, id, result);
  };
  if (dynamic && !std::ranges::all_of(reader.inputs, row)) return false;
  return !activated && reader.op == "Add" && std::ranges::none_of(reader.inputs, [&](ValueId id) {
    return graph.constant(id) != nullptr && (node.op == "Conv" || !node.post_ops.empty());
  });
}

using MayTake = bool (*)(const Graph& graph, const Node& node, const Node& reader);

void fuse(Graph& graph, MayTake may_take, bool into_sums) {
  const Uses uses(graph);
  std::vector<bool> gone(graph.nodes().size());
  // Backwards, so that where a sum has a product on both sides, the later one takes it: the other
  // is then already computed. Sums that no product has taken take their activations afterwards.
  for (const bool sums : {false, true}) {
    if (sums && !into_sums) break;
    for (size_t i = graph.nodes().size(); i-- > 0;) {
      if (gone[i]) continue;
      size_t at = i;
      const Node& first = graph.nodes()[i];
      if (!first.output().present() || graph.value(first.output()).type != ElementType::kFloat32)
        continue;
      if (sums ? !plain_sum(graph, first) : !product(first)) continue;
      for (;;) {
        const auto reader = uses.only_reader(graph.nodes()[at].output());
        if (!reader || gone[*reader] || product(graph.nodes()[*reader])) break;
        if (!may_take(graph, graph.nodes()[at], graph.nodes()[*reader])) break;
        if (!take(graph, graph.nodes()[at], graph.nodes()[*reader])) break;
        gone[at] = true;
        at = *reader;
      }
    }
  }
  size_t index = 0;
  std::erase_if(graph.nodes(), [&](const Node&) { return gone[index++]; });
}

}  // namespace

void fuse_post_operations(Graph& graph) {
  const auto may_take = [](const Graph& whole, const Node& node, const Node& reader) {
    return node.op != "casemate:DynamicGemm" || own_loops_take(whole, node, reader);
  };
  fuse(graph, may_take, true);
}

void fuse_into_own_loops(Graph& graph) { fuse(graph, own_loops_take, false); }

}  // namespace casemate::engine
