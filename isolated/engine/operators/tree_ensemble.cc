// SPDX-License-Identifier: Apache-2.0
// Of the domain ai.onnx.ml: TreeEnsemble, the sum or such of what many decision trees say.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/format.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

using Features = Types<float, double, Float16>;

Error invalid(std::string text) { return {Code::kInvalid, std::move(text)}; }

enum class Test : uint8_t { kAtMost, kLess, kAtLeast, kGreater, kEqual, kUnequal, kMember };
enum class Gather : uint8_t { kAverage, kSum, kMin, kMax };
enum class After : uint8_t { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };

// Where a tree goes on: at a node, or with a leaf.
struct Branch {
  bool leaf = false;
  int64_t number = 0;
};

template <class W>
struct TreeNode {
  Test test = Test::kAtMost;
  int64_t feature = 0;
  W split = 0;
  std::vector<W> members = {};  // in order
  bool missing_is_true = false;
  Branch if_true = {};
  Branch if_false = {};

  [[nodiscard]] bool holds(W x) const {
    if (std::isnan(x) && missing_is_true) return true;
    switch (test) {
      case Test::kAtMost:
        return x <= split;
      case Test::kLess:
        return x < split;
      case Test::kAtLeast:
        return x >= split;
      case Test::kGreater:
        return x > split;
      case Test::kEqual:
        return x == split;
      case Test::kUnequal:
        return x != split;
      case Test::kMember:
        return !std::isnan(x) && std::ranges::binary_search(members, x);
    }
    return false;
  }
};

template <class W>
struct Leaf {
  W weight = 0;
  int64_t target = 0;
};

template <class W>
struct Ensemble {
  std::vector<TreeNode<W>> nodes = {};
  std::vector<Leaf<W>> leaves = {};
  std::vector<int64_t> roots = {};
};

// --- From attributes, which may be anything, to trees, which end.

// A list with one number for each node or leaf, each from 0 and less than `end`.
Result<std::vector<int64_t>> list_of(const Computation& c, std::string_view name, size_t count,
                                     int64_t end) {
  std::vector<int64_t> values = c.attributes().integers(name);
  if (values.size() != count) {
    return invalid(
        formatted("attribute '{}' has {} elements, it needs {}", name, values.size(), count));
  }
  for (const int64_t value : values) {
    if (value < 0 || value >= end) {
      return invalid(
          formatted("attribute '{}' has the value {}, expected 0 to {}", name, value, end - 1));
    }
  }
  return values;
}

template <class T>
Result<std::span<const T>> tensor_of(const Computation& c, std::string_view name) {
  const Tensor* tensor = c.attributes().tensor(name);
  if (tensor == nullptr) return invalid(formatted("attribute '{}' is missing", name));
  if (tensor->type() == element_type_of<T>()) return tensor->values<T>();
  return invalid(formatted("attribute '{}' is a tensor of {}, expected {}", name,
                           name_of(tensor->type()), name_of(element_type_of<T>())));
}

// The sets of 'membership_values', each with a NaN behind it, go to the nodes that test them.
template <class T>
Status share_members(const Computation& c, std::vector<TreeNode<Wide<T>>>& nodes) {
  std::span<const T> values;
  if (c.attributes().has("membership_values")) values = TRY(tensor_of<T>(c, "membership_values"));
  auto next = values.begin();
  for (auto& node : nodes) {
    if (node.test != Test::kMember) continue;
    for (; next != values.end() && !std::isnan(static_cast<Wide<T>>(*next)); ++next)
      node.members.push_back(static_cast<Wide<T>>(*next));
    if (next == values.end()) {
      return invalid(
          "attribute 'membership_values' has fewer sets than there are nodes that test "
          "for one");
    }
    ++next;
    std::ranges::sort(node.members);
  }
  if (next != values.end()) {
    return invalid(
        "attribute 'membership_values' has more sets than there are nodes that test for "
        "one");
  }
  return {};
}

template <class T>
Result<std::vector<TreeNode<Wide<T>>>> nodes_of(const Computation& c, size_t leaf_count) {
  const auto modes = TRY(tensor_of<uint8_t>(c, "nodes_modes"));
  const auto splits = TRY(tensor_of<T>(c, "nodes_splits"));
  const size_t count = modes.size();
  if (splits.size() != count) {
    return invalid(
        formatted("attribute 'nodes_splits' has {} elements, it needs {}", splits.size(), count));
  }
  const auto ends = static_cast<int64_t>(std::max(count, leaf_count));
  const auto features = TRY(list_of(c, "nodes_featureids", count, c.shape(0)[1]));
  const auto true_ids = TRY(list_of(c, "nodes_truenodeids", count, ends));
  const auto false_ids = TRY(list_of(c, "nodes_falsenodeids", count, ends));
  const auto true_leaves = TRY(list_of(c, "nodes_trueleafs", count, 2));
  const auto false_leaves = TRY(list_of(c, "nodes_falseleafs", count, 2));
  std::vector<int64_t> missing(count);
  if (c.attributes().has("nodes_missing_value_tracks_true"))
    missing = TRY(list_of(c, "nodes_missing_value_tracks_true", count, 2));
  std::vector<TreeNode<Wide<T>>> nodes(count);
  for (size_t i = 0; i < count; ++i) {
    if (modes[i] > static_cast<uint8_t>(Test::kMember))
      return invalid(formatted("attribute 'nodes_modes' has the value {}", modes[i]));
    nodes[i].test = static_cast<Test>(modes[i]);
    nodes[i].feature = features[i];
    nodes[i].split = static_cast<Wide<T>>(splits[i]);
    nodes[i].missing_is_true = missing[i] != 0;
    nodes[i].if_true = {true_leaves[i] != 0, true_ids[i]};
    nodes[i].if_false = {false_leaves[i] != 0, false_ids[i]};
  }
  TRY(share_members<T>(c, nodes));
  return nodes;
}

// A node to which one way leads at most cannot be come to twice: every walk from a root ends, and
// all of them together are no longer than there are nodes.
template <class W>
Status check_trees(const Ensemble<W>& ensemble) {
  const size_t count = ensemble.nodes.size();
  std::vector<bool> reached(count);
  const auto reach = [&](const Branch& branch) -> Status {
    const auto number = static_cast<size_t>(branch.number);
    if (branch.leaf && number < ensemble.leaves.size()) return {};
    if (branch.leaf || number >= count) {
      return invalid(
          formatted("its {} {} does not exist", branch.leaf ? "leaf" : "node", branch.number));
    }
    if (reached[number]) return invalid(formatted("two ways lead to its node {}", number));
    reached[number] = true;
    return {};
  };
  for (const int64_t root : ensemble.roots) TRY(reach({false, root}));
  for (const auto& node : ensemble.nodes) {
    TRY(reach(node.if_true));
    TRY(reach(node.if_false));
  }
  return {};
}

template <class T>
Result<Ensemble<Wide<T>>> ensemble_of(const Computation& c, int64_t targets) {
  Ensemble<Wide<T>> ensemble;
  const auto weights = TRY(tensor_of<T>(c, "leaf_weights"));
  const auto ids = TRY(list_of(c, "leaf_targetids", weights.size(), targets));
  for (size_t i = 0; i < weights.size(); ++i)
    ensemble.leaves.push_back({static_cast<Wide<T>>(weights[i]), ids[i]});
  ensemble.nodes = TRY(nodes_of<T>(c, weights.size()));
  ensemble.roots = c.attributes().integers("tree_roots");
  for (const int64_t root : ensemble.roots) {
    if (root < 0) return invalid(formatted("attribute 'tree_roots' has the value {}", root));
  }
  TRY(check_trees(ensemble));
  return ensemble;
}

// --- What they say.

template <class W, class T>
const Leaf<W>& leaf_for(const Ensemble<W>& ensemble, int64_t root, std::span<const T> row) {
  for (Branch at{false, root};;) {
    const TreeNode<W>& node = ensemble.nodes[at.number];
    at = node.holds(static_cast<W>(row[node.feature])) ? node.if_true : node.if_false;
    if (at.leaf) return ensemble.leaves[at.number];
  }
}

// Targets that no tree speaks of keep what they begin with.
template <class W>
W begin_of(Gather gather) {
  if (gather == Gather::kMin) return std::numeric_limits<W>::max();
  return gather == Gather::kMax ? std::numeric_limits<W>::lowest() : W(0);
}

template <class W>
void gather_votes(Gather gather, W share, const Leaf<W>& leaf, std::vector<W>& scores) {
  W& score = scores[leaf.target];
  switch (gather) {
    case Gather::kAverage:
      score += leaf.weight * share;
      break;
    case Gather::kSum:
      score += leaf.weight;
      break;
    case Gather::kMin:
      score = std::min(score, leaf.weight);
      break;
    case Gather::kMax:
      score = std::max(score, leaf.weight);
      break;
  }
}

// The number below which a share `p` of the normal distribution lies, by halving the range that
// holds it.
double probit(double p) {
  if (!(p > 0 && p < 1))
    return p == 0   ? -std::numeric_limits<double>::infinity()
           : p == 1 ? std::numeric_limits<double>::infinity()
                    : std::numeric_limits<double>::quiet_NaN();
  double low = -40;
  double high = 40;
  for (int i = 0; i < 64; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

// Of scores that are 0 already, `keep_zeros` leaves them so.
template <class W>
void softmax(std::vector<W>& scores, bool keep_zeros) {
  if (scores.empty()) return;
  const W greatest = std::ranges::max(scores);
  W sum = 0;
  for (W& score : scores) {
    if (keep_zeros && score == 0) continue;
    score = std::exp(score - greatest);
    sum += score;
  }
  for (W& score : scores) score = sum == 0 ? score : score / sum;
}

template <class W>
void finish(After after, std::vector<W>& scores) {
  if (after == After::kSoftmax || after == After::kSoftmaxZero)
    return softmax(scores, after == After::kSoftmaxZero);
  for (W& score : scores) {
    if (after == After::kLogistic) score = 1 / (1 + std::exp(-score));
    if (after == After::kProbit) score = static_cast<W>(probit(static_cast<double>(score)));
  }
}

Result<int64_t> choice(const Computation& c, std::string_view name, int64_t otherwise,
                       int64_t last) {
  const int64_t value = c.attributes().integer(name, otherwise);
  if (value >= 0 && value <= last) return value;
  return invalid(formatted("attribute '{}' has the value {}, expected 0 to {}", name, value, last));
}

Status compute_tree_ensemble(Computation& c) {
  const Shape& shape = c.shape(0);
  if (shape.rank() != 2)
    return invalid(formatted("its input {} needs the shape [N,features]", shape.text()));
  const int64_t targets = c.attributes().integer("n_targets", 1);
  if (targets < 1 || targets > int64_t{1} << 32)
    return invalid(formatted("attribute 'n_targets' is {}, expected 1 to 2^32", targets));
  const auto gather = static_cast<Gather>(TRY(choice(c, "aggregate_function", 1, 3)));
  const auto after = static_cast<After>(TRY(choice(c, "post_transform", 0, 4)));
  return for_type(Features{}, c.type(0), [&]<class T>() -> Status {
    using W = Wide<T>;
    const Ensemble<W> ensemble = TRY(ensemble_of<T>(c, targets));
    const auto y = TRY(c.make<T>(0, {shape[0], targets}));
    const auto x = TRY(c.values<T>(0));
    const auto width = static_cast<size_t>(shape[1]);
    const W share = 1 / static_cast<W>(std::max<size_t>(ensemble.roots.size(), 1));
    for (size_t n = 0; n * static_cast<size_t>(targets) < y.size(); ++n) {
      std::vector<W> scores(static_cast<size_t>(targets), begin_of<W>(gather));
      const auto row = x.subspan(n * width, width);
      for (const int64_t root : ensemble.roots)
        gather_votes(gather, share, leaf_for<W, T>(ensemble, root, row), scores);
      finish(after, scores);
      std::ranges::transform(scores, y.begin() + static_cast<int64_t>(n * scores.size()),
                             [](W score) { return static_cast<T>(score); });
    }
    return {};
  });
}

}  // namespace

void add_tree_ensemble(Operators& operators) {
  operators.add("ai.onnx.ml:TreeEnsemble", compute_tree_ensemble);
}

}  // namespace casemate::engine
