// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

bool image_convolution(const Graph& graph, const Node& node) {
  if (node.op != "Conv" || node.raw || graph.constant(node.input(1)) == nullptr) return false;
  if (node.input(2).present() && graph.constant(node.input(2)) == nullptr) return false;
  return graph.value(node.output()).shapes.front().rank() == 4 &&
         graph.value(node.output()).type == ElementType::kFloat32;
}

// Limits and slopes, which are applied to a result while it is made.
bool limits(const PostOp& post) {
  return post.op == "Relu" || post.op == "LeakyRelu" ||
         (post.op == "Clip" && post.alpha <= post.beta);
}

bool depthwise(const Graph& graph, const Node& node) {
  const int64_t channels = graph.value(node.inputs[0]).shapes.front()[1];
  const int64_t outputs = graph.value(node.output()).shapes.front()[1];
  return node.attributes.integer("group", 1) == channels && outputs == channels &&
         (node.post_ops.empty() || (node.post_ops.size() == 1 && limits(node.post_ops[0])));
}

// A sum with another computed image, then an activation that our own loops know; each at most once.
bool own_post_operations(const Graph& graph, const Node& node) {
  bool added = false;
  bool activated = false;
  for (const PostOp& post : node.post_ops) {
    if (activated) return false;
    if (post.op == "Add") {
      const ValueId operand = node.input(static_cast<size_t>(post.operand));
      if (added || graph.constant(operand) != nullptr ||
          graph.value(operand).shapes != graph.value(node.output()).shapes)
        return false;
      added = true;
    } else {
      const bool smooth = post.op == "Tanh" || post.op == "Gelu" || post.op == "GeluTanh";
      if (!smooth && !limits(post)) return false;
      activated = true;
    }
  }
  return true;
}

bool of_single_pixels(const Graph& graph, const Node& node) {
  const auto all = [&](std::string_view name, int64_t wanted) {
    return std::ranges::all_of(node.attributes.integers(name),
                               [&](int64_t value) { return value == wanted; });
  };
  return node.attributes.integer("group", 1) == 1 && all("kernel_shape", 1) && all("strides", 1) &&
         all("pads", 0) && own_post_operations(graph, node);
}

// The second in its own place, with the first's work before it.
Node joined(const Node& first, const Node& second) {
  Node made = second;
  made.op = "casemate:SeparableConv";
  made.attributes = first.attributes;
  made.inputs = {first.inputs[0], first.inputs[1], first.input(2), second.inputs[1],
                 second.input(2)};
  for (size_t i = 3; i < second.inputs.size(); ++i) made.inputs.push_back(second.inputs[i]);
  for (PostOp& post : made.post_ops) {
    if (post.operand >= 0) post.operand += 2;
  }
  if (!first.post_ops.empty()) {
    const PostOp& post = first.post_ops[0];
    made.attributes.set("activation", post.op);
    made.attributes.set("alpha", post.alpha);
    made.attributes.set("beta", post.beta);
  }
  return made;
}

}  // namespace

void fuse_separable_convolutions(Graph& graph) {
  const Uses uses(graph);
  for (const Node& first : graph.nodes()) {
    if (!image_convolution(graph, first) || !depthwise(graph, first)) continue;
    const auto reader = uses.only_reader(first.output());
    if (!reader) continue;
    Node& second = graph.nodes()[*reader];
    if (!image_convolution(graph, second) || second.inputs[0] != first.output() ||
        !of_single_pixels(graph, second))
      continue;
    second = joined(first, second);
  }
}

}  // namespace casemate::engine
