// SPDX-License-Identifier: Apache-2.0
// Attention (Vaswani et al. 2017, section 3.2.1) as exporters write it out
//
//   MatMul(Q, K') [* or / scale] [+ mask] -> Softmax -> MatMul(., V) [-> Transpose]
//
// becomes one node, which reads Q, K and V where the projections left them and writes its result
// where the next one wants it. Where K and V are a cache and what is appended to it, both parts are
// read where they lie.
#include <algorithm>

#include "isolated/engine/graph/box.h"
#include "isolated/engine/kernels/attention.h"
#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/view.h"

namespace casemate::engine {
namespace {

// What becomes of it: see kernels/attention.h.
struct Found {
  std::array<View, kAttentionOperands.size()> operands;
  std::array<bool, kAttentionOperands.size()> present{};
  std::vector<int64_t> mask_steps;
  double scale = 1;
  int64_t items = 1, heads = 1, queries = 0, keys = 0, past_keys = 0, width = 0, value_width = 0;
  size_t last = 0;  // the node that makes the result
  bool heads_inside = false;
};

class Matcher final {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph), uses_(graph) {}

  std::optional<Found> find(const Node& softmax) const {
    const Shape& scores = shape(softmax.output());
    const uint32_t rank = scores.rank();
    const auto axis = softmax.attributes.integer("axis", -1);
    if (rank < 3 || rank > 4 || axis + 1 != rank || !all_positive(scores)) return std::nullopt;
    Found found;
    const auto product = before(softmax, found);
    const auto outcome = product ? behind(softmax, found) : std::nullopt;
    if (!outcome) return std::nullopt;
    found.items = scores[rank - 4 + (rank == 3 ? 1 : 0)];
    found.heads = rank == 4 ? scores[1] : 1;
    found.queries = scores[rank - 2];
    found.keys = scores[rank - 1];
    if (!see(found, *product, *outcome, rank)) return std::nullopt;
    return found;
  }

 private:
  const Shape& shape(ValueId id) const { return graph_.value(id).shapes.front(); }

  static bool all_positive(const Shape& shape) {
    return std::ranges::all_of(shape.dims(), [](int64_t extent) { return extent > 0; });
  }

  const Node* maker(ValueId id) const {
    const auto index = uses_.maker(id);
    return index ? &graph_.nodes()[*index] : nullptr;
  }
  // What makes the value, if nothing else needs it.
  const Node* sole(ValueId id) const { return uses_.only_reader(id) ? maker(id) : nullptr; }

  static bool plain_product(const Node* node) {
    return node != nullptr && node->op == "MatMul" && node->post_ops.empty() &&
           node->inputs.size() == 2;
  }

  // Takes the mask and the scale off, down to the product.
  const Node* before(const Node& softmax, Found& found) const {
    const Node* node = sole(softmax.inputs[0]);
    if (node != nullptr && node->op == "Add" && node->post_ops.empty()) {
      const Node* left = sole(node->inputs[0]);
      const bool scores_left = left != nullptr && scores_of(left, nullptr) != nullptr;
      const ValueId mask = node->inputs[scores_left ? 1 : 0];
      const Shape& scores = shape(softmax.output());
      if (graph_.value(mask).type != ElementType::kFloat32 || shape(node->output()) != scores ||
          !broadcastable(shape(mask), scores)) {
        return nullptr;
      }
      const Steps steps = broadcast_steps(shape(mask), scores);
      found.mask_steps.assign(steps.begin(), steps.begin() + scores.rank());
      found.operands[3].base = mask;
      found.present[3] = true;
      node = sole(node->inputs[scores_left ? 0 : 1]);
    }
    return scores_of(node, &found.scale);
  }

  // The product behind an optional scaling.
  const Node* scores_of(const Node* node, double* scale) const {
    if (plain_product(node)) return node;
    if (node == nullptr || (node->op != "Mul" && node->op != "Div") || !node->post_ops.empty())
      return nullptr;
    for (const size_t side : {0, 1}) {
      const auto factor = scalar_of(graph_, node->inputs[1 - side]);
      if (!factor || *factor == 0 || (node->op == "Div" && side == 1)) continue;
      const Node* inner = sole(node->inputs[side]);
      if (!plain_product(inner) || shape(inner->output()) != shape(node->output())) continue;
      if (scale != nullptr) *scale = node->op == "Div" ? 1 / *factor : *factor;
      return inner;
    }
    return nullptr;
  }

  // The product with V, and whether heads are brought to the inside behind it.
  const Node* behind_node(const Node& node) const {
    const auto reader = uses_.only_reader(node.output());
    return reader ? &graph_.nodes()[*reader] : nullptr;
  }
  std::optional<ValueId> behind(const Node& softmax, Found& found) const {
    const Node* product = behind_node(softmax);
    if (!plain_product(product) || product->inputs[0] != softmax.output() ||
        product->inputs[1] == softmax.output()) {
      return std::nullopt;
    }
    found.last = *uses_.maker(product->output());
    found.value_width = shape(product->output())[shape(product->output()).rank() - 1];
    const Node* next = behind_node(*product);
    if (next != nullptr && next->op == "Transpose" && !next->raw &&
        next->attributes.integers("perm") == std::vector<int64_t>{0, 2, 1, 3}) {
      found.last = *uses_.maker(next->output());
      found.heads_inside = true;
    }
    return product->inputs[1];
  }

  // Two dimensions in front, whatever it has; repeated where the scores have more.
  static bool widen(View& view, uint32_t rank, int64_t items, int64_t heads) {
    if (view.dims.size() > rank || view.dims.size() < 2) return false;
    if (rank == 3) {
      // No heads: they are between the first dimension and the last two.
      if (view.dims.size() == 2)
        view.dims.insert(view.dims.begin(), 1), view.steps.insert(view.steps.begin(), 0);
      view.dims.insert(view.dims.begin() + 1, 1);
      view.steps.insert(view.steps.begin() + 1, 0);
    }
    while (view.dims.size() < 4) {
      view.dims.insert(view.dims.begin(), 1);
      view.steps.insert(view.steps.begin(), 0);
    }
    const auto fits = [&](size_t d, int64_t extent) {
      return view.dims[d] == extent || view.dims[d] == 1;
    };
    return fits(0, items) && fits(1, heads);
  }

  static void swap_last(View& view) {
    std::swap(view.dims[2], view.dims[3]);
    std::swap(view.steps[2], view.steps[3]);
  }

  // Dense along the last dimension, with these extents.
  static bool rows(const View& view, int64_t count, int64_t width) {
    return view.dims[2] == count && view.dims[3] == width && (width == 1 || view.steps[3] == 1);
  }

  // The two parts of a Concat of tokens of which `view` is all.
  struct Parts {
    ValueId past, now;
  };
  std::optional<Parts> parts_of(const View& view) const {
    const Node* concat = maker(view.base);
    if (concat == nullptr || concat->op != "Concat" || concat->inputs.size() != 2 ||
        shape(view.base).rank() != 4 || view.offset != 0) {
      return std::nullopt;
    }
    const auto axis = concat->attributes.integer("axis", 0);
    const Shape& whole = shape(view.base);
    if ((axis != 2 && axis != -2) || !std::ranges::equal(view.dims, whole.dims()) ||
        (view.dims[2] > 1 && view.steps[2] != whole[3])) {
      return std::nullopt;
    }
    return Parts{concat->inputs[0], concat->inputs[1]};
  }

  // Views of all operands.
  bool see(Found& found, const Node& product, ValueId values, uint32_t rank) const {
    View q = view_of(graph_, uses_, product.inputs[0], true);
    View k = view_of(graph_, uses_, product.inputs[1], true);
    View v = view_of(graph_, uses_, values);
    if (!widen(q, rank, found.items, found.heads) || !widen(k, rank, found.items, found.heads) ||
        !widen(v, rank, found.items, found.heads)) {
      return false;
    }
    found.scale *= q.factor * k.factor;
    found.width = q.dims[3];
    swap_last(k);
    if (found.heads_inside && rank != 4) return false;
    if (!rows(q, found.queries, found.width)) return false;
    const auto k_parts = parts_of(k);
    const auto v_parts = parts_of(v);
    if (rank == 4 && k_parts && v_parts && see_parts(found, *k_parts, *v_parts, q)) return true;
    if (!rows(k, found.keys, found.width) || !rows(v, found.keys, found.value_width)) return false;
    found.operands[0] = q;
    found.operands[1] = k;
    found.operands[2] = v;
    found.present[0] = found.present[1] = found.present[2] = true;
    return true;
  }

  bool see_parts(Found& found, const Parts& keys, const Parts& values, const View& q) const {
    const ValueId ids[] = {keys.now, values.now, keys.past, values.past};
    const size_t places[] = {1, 2, 4, 5};
    const int64_t past = shape(keys.past)[2];
    for (size_t i = 0; i < 4; ++i) {
      View view = view_of(graph_, uses_, ids[i]);
      const int64_t count = i < 2 ? found.keys - past : past;
      const int64_t width = i % 2 == 0 ? found.width : found.value_width;
      if (count <= 0 || !widen(view, 4, found.items, found.heads) || !rows(view, count, width))
        return false;
      found.operands[places[i]] = view;
    }
    found.operands[0] = q;
    found.present = {true, true, true, found.present[3], true, true};
    found.keys -= past;
    found.past_keys = past;
    return true;
  }

  const Graph& graph_;
  Uses uses_;
};

std::vector<int64_t> numbers_of(const View& view) {
  return {view.offset, view.steps[0], view.steps[1], view.steps[2]};
}

void rewrite(Graph& graph, const Found& found) {
  Node& node = graph.nodes()[found.last];
  node.op = kAttentionOp;
  node.inputs.assign(kAttentionOperands.size(), {});
  node.attributes = {{"scale", static_cast<float>(found.scale)},
                     {"sizes", std::vector{found.items, found.heads, found.queries, found.keys,
                                           found.past_keys, found.width, found.value_width}}};
  for (size_t i = 0; i < kAttentionOperands.size(); ++i) {
    if (!found.present[i]) continue;
    node.inputs[i] = found.operands[i].base;
    if (i != 3) node.attributes.set(kAttentionOperands[i], numbers_of(found.operands[i]));
  }
  if (found.present[3]) {
    std::vector<int64_t> steps = found.mask_steps;
    if (steps.size() == 3) steps.insert(steps.begin() + 1, 0);
    steps.insert(steps.begin(), 0);
    node.attributes.set("mask", steps);
  }
  const int64_t width = found.value_width;
  const int64_t item = found.heads * found.queries * width;
  node.attributes.set("result", found.heads_inside
                                    ? std::vector<int64_t>{0, item, width, found.heads * width}
                                    : std::vector<int64_t>{0, item, found.queries * width, width});
  while (!node.inputs.back().present()) node.inputs.pop_back();
  node.raw = false;
}

}  // namespace

void fuse_attention(Graph& graph) {
  if (graph.variant_count() != 1) return;
  const Matcher matcher(graph);
  std::vector<Found> all;
  for (const Node& node : graph.nodes()) {
    if (node.op != "Softmax" || node.raw) continue;
    if (auto found = matcher.find(node)) all.push_back(*std::move(found));
  }
  for (const Found& found : all) rewrite(graph, found);
}

void copy_once(Graph& graph) {
  if (graph.variant_count() != 1) return;
  const Uses uses(graph);
  for (Node& node : graph.nodes()) {
    if (node.op != "Transpose" || node.raw || graph.constant(node.inputs[0]) != nullptr ||
        graph.value(node.output()).type != ElementType::kFloat32) {
      continue;
    }
    const View view = view_of(graph, uses, node.output());
    const auto whole = graph.value(view.base).shapes.front().element_count();
    const auto part = graph.value(node.output()).shapes.front().element_count();
    if (!whole || !part || *whole <= *part || *part == 0) continue;
    node.op = "casemate:Copy";
    node.inputs = {view.base};
    node.attributes = {{"offset", view.offset}, {"steps", view.steps}};
  }
}

}  // namespace casemate::engine
