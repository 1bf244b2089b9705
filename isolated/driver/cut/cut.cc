// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/cut/cut.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "base/format.h"

namespace casemate::driver {
namespace {

using engine::Graph;
using engine::Node;
using engine::ValueId;

constexpr double kNever = std::numeric_limits<double>::infinity();

// The graph with its nodes in one order, and what they cost.
class Line final {
 public:
  Line(const Graph& graph, const std::vector<Candidate>& candidates,
       const std::vector<size_t>& order)
      : graph_(graph), candidates_(candidates), order_(order), last_read_(graph.value_count(), 0) {
    bytes_.reserve(graph.value_count());
    made_at_.assign(graph.value_count(), kNobody);
    for (uint32_t i = 0; i < graph.value_count(); ++i) {
      const engine::Value& value = graph.value({i});
      const bool shaped = !value.shapes.empty();
      bytes_.push_back(shaped ? engine::tensor_bytes(value.type, value.shapes.front()).value_or(0)
                              : 0);
    }
    for (size_t at = 0; at < order.size(); ++at) {
      const Node& node = graph.nodes()[order[at]];
      for (const ValueId id : node.inputs) {
        if (id.present()) last_read_[id.index] = at;
      }
      for (const ValueId id : node.outputs) {
        if (id.present()) made_at_[id.index] = at;
      }
    }
    for (const ValueId id : graph.outputs()) last_read_[id.index] = kNobody;
    for (const Candidate& each : candidates) {
      std::vector<double>& ns = node_ns_.emplace_back();
      for (const size_t node : order) {
        ns.push_back(each.refusals[node].empty() ? each.costs.node_ns(graph, graph.nodes()[node])
                                                 : kNever);
      }
    }
  }

  // Fills `best` for all pieces that begin at `begin`.
  struct Best {
    double ns = kNever;
    size_t begin = 0;
    size_t device = 0;
  };
  void extend_from(size_t begin, std::vector<Best>& best) {
    Span span{.begin = begin,
              .stamp = ++stamps_,
              .node_ns = std::vector<double>(candidates_.size(), 0.0)};
    for (size_t at = begin; at < order_.size(); ++at) {
      add(span, at);
      bool any = false;
      for (size_t device = 0; device < candidates_.size(); ++device) {
        span.node_ns[device] += node_ns_[device][at];
        if (span.node_ns[device] == kNever) continue;
        any = true;
        if (span.held_bytes > candidates_[device].memory_bytes) continue;
        const double ns = best[begin].ns + run_ns(span, device) + copy_ns(span, device);
        if (ns < best[at + 1].ns) best[at + 1] = {ns, begin, device};
      }
      if (!any) return;
    }
  }

  CutPiece piece(size_t begin, size_t end, size_t device) {
    Span span{.begin = begin,
              .stamp = ++stamps_,
              .node_ns = std::vector<double>(candidates_.size(), 0.0)};
    for (size_t at = begin; at < end; ++at) {
      add(span, at);
      span.node_ns[device] += node_ns_[device][at];
    }
    CutPiece made{.device = device,
                  .input_bytes = span.input_bytes,
                  .output_bytes = span.output_bytes,
                  .run_ns = run_ns(span, device),
                  .copy_ns = copy_ns(span, device)};
    std::set<ValueId> inputs;
    for (size_t at = begin; at < end; ++at) {
      const Node& node = graph_.nodes()[order_[at]];
      made.nodes.push_back(order_[at]);
      for (const ValueId id : node.inputs) {
        if (given(id, begin) && inputs.insert(id).second) made.inputs.push_back(id);
      }
      for (const ValueId id : node.outputs) {
        if (id.present() && last_read_[id.index] >= end) made.outputs.push_back(id);
      }
    }
    return made;
  }

 private:
  static constexpr size_t kNobody = SIZE_MAX;

  // Nodes [begin, ...) and what crosses their ends.
  struct Span {
    size_t begin = 0;
    size_t stamp = 0;
    std::vector<double> node_ns;  // by device
    size_t inputs = 0;
    size_t outputs = 0;
    uint64_t input_bytes = 0;
    uint64_t output_bytes = 0;
    uint64_t held_bytes = 0;  // of all values and constants: more than lives at a time
  };

  // Whether a piece that begins there reads the value from outside.
  bool given(ValueId id, size_t begin) const {
    return id.present() && graph_.constant(id) == nullptr &&
           (made_at_[id.index] == kNobody || made_at_[id.index] < begin);
  }

  void add(Span& span, size_t at) {
    if (seen_.size() < graph_.value_count()) seen_.assign(graph_.value_count(), 0);
    const Node& node = graph_.nodes()[order_[at]];
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (!id.present()) continue;
      const auto earlier = node.inputs.begin() + static_cast<std::ptrdiff_t>(i);
      const bool again = std::find(node.inputs.begin(), earlier, id) != earlier;
      const bool inside = !given(id, span.begin) && graph_.constant(id) == nullptr;
      if (inside && !again && last_read_[id.index] == at) {
        --span.outputs;
        span.output_bytes -= bytes_[id.index];
      }
      if (inside || seen_[id.index] == span.stamp) continue;
      seen_[id.index] = span.stamp;
      span.held_bytes += bytes_[id.index];
      if (graph_.constant(id) != nullptr) continue;
      ++span.inputs;
      span.input_bytes += bytes_[id.index];
    }
    for (const ValueId id : node.outputs) {
      if (!id.present()) continue;
      span.held_bytes += bytes_[id.index];
      if (last_read_[id.index] <= at) continue;
      ++span.outputs;
      span.output_bytes += bytes_[id.index];
    }
  }

  double run_ns(const Span& span, size_t device) const {
    return candidates_[device].costs.run_ns + span.node_ns[device];
  }
  double copy_ns(const Span& span, size_t device) const {
    const Costs& costs = candidates_[device].costs;
    return costs.copy_ns * static_cast<double>(span.inputs + span.outputs) +
           costs.write_ns_per_byte * static_cast<double>(span.input_bytes) +
           costs.read_ns_per_byte * static_cast<double>(span.output_bytes);
  }

  size_t stamps_ = 0;
  const Graph& graph_;
  const std::vector<Candidate>& candidates_;
  const std::vector<size_t>& order_;
  std::vector<uint64_t> bytes_;               // by value
  std::vector<size_t> made_at_;               // ditto: where in the order
  std::vector<size_t> last_read_;             // ditto; kNobody: it is an output of the graph
  std::vector<size_t> seen_;                  // ditto: the stamp of the last span that read it
  std::vector<std::vector<double>> node_ns_;  // by device, by place in the order
};

// Why there is no cut: the first node that nobody takes, or a piece that is too large.
Error refusal(const Graph& graph, const std::vector<Candidate>& candidates) {
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const auto refuses = [&](const Candidate& each) { return !each.refusals[i].empty(); };
    if (!std::ranges::all_of(candidates, refuses)) continue;
    const Node& node = graph.nodes()[i];
    std::string text = formatted("no device takes node '{}' ({}):", node.name, node.op);
    for (const Candidate& each : candidates)
      text += formatted(" {}: {};", each.name, each.refusals[i]);
    return {Code::kUnsupported, text + " name one that does, such as cpu:0"};
  }
  return {Code::kTooLarge,
          "a node and its constants fit into no device that takes it: name one with more memory"};
}

// Stays on a device as long as something that it is the fastest for can run, and goes on with what
// comes first where nothing is.
std::vector<size_t> clustered_order(const Graph& graph, const std::vector<Candidate>& candidates) {
  const engine::Uses uses(graph);
  const size_t count = graph.nodes().size();
  std::vector<size_t> fastest(count, 0);
  std::vector<size_t> missing(count, 0);
  std::vector<std::set<size_t>> ready(candidates.size());
  std::set<size_t> all;
  for (size_t i = 0; i < count; ++i) {
    double least = kNever;
    for (size_t device = 0; device < candidates.size(); ++device) {
      if (!candidates[device].refusals[i].empty()) continue;
      const double ns = candidates[device].costs.node_ns(graph, graph.nodes()[i]);
      if (ns < least) fastest[i] = device;
      least = std::min(least, ns);
    }
    for (const ValueId id : graph.nodes()[i].inputs)
      missing[i] += id.present() && uses.maker(id) ? 1 : 0;
    if (missing[i] == 0) ready[fastest[i]].insert(i), all.insert(i);
  }
  std::vector<size_t> order;
  size_t device = 0;
  while (!all.empty()) {
    if (ready[device].empty()) device = fastest[*all.begin()];
    const size_t next = *ready[device].begin();
    ready[device].erase(next);
    all.erase(next);
    order.push_back(next);
    for (const ValueId id : graph.nodes()[next].outputs) {
      if (!id.present()) continue;
      for (const size_t reader : uses.readers(id)) {
        if (--missing[reader] == 0) ready[fastest[reader]].insert(reader), all.insert(reader);
      }
    }
  }
  return order;
}

}  // namespace

Candidate candidate(std::string name, const Device& device, Costs costs, const Graph& graph) {
  Candidate made{.name = std::move(name),
                 .costs = std::move(costs),
                 .memory_bytes = device.limits().memory_bytes};
  for (const Node& node : graph.nodes()) {
    const Status taken = device.takes(graph, node);
    std::string why = taken ? "" : taken.error().text;
    if (const auto found = made.costs.refused.find(form_of(graph, node));
        taken && found != made.costs.refused.end())
      why = found->second;
    made.refusals.push_back(std::move(why));
  }
  return made;
}

double Cut::predicted_ns() const {
  return std::accumulate(pieces.begin(), pieces.end(), 0.0, [](double sum, const CutPiece& piece) {
    return sum + piece.run_ns + piece.copy_ns;
  });
}

Result<Cut> cut_in_order(const Graph& graph, const std::vector<Candidate>& candidates,
                         const std::vector<size_t>& order) {
  Line line(graph, candidates, order);
  std::vector<Line::Best> best(order.size() + 1);
  best[0].ns = 0;
  for (size_t begin = 0; begin < order.size(); ++begin) {
    if (best[begin].ns != kNever) line.extend_from(begin, best);
  }
  if (best.back().ns == kNever) return refusal(graph, candidates);
  Cut cut;
  for (const Candidate& each : candidates) cut.devices.push_back(each.name);
  for (size_t end = order.size(); end > 0; end = best[end].begin)
    cut.pieces.push_back(line.piece(best[end].begin, end, best[end].device));
  std::ranges::reverse(cut.pieces);
  return cut;
}

Result<Cut> make_cut(const Graph& graph, const std::vector<Candidate>& candidates) {
  CHECK(graph.variant_count() == 1, "a graph that is cut has one shape for each value");
  if (graph.nodes().size() > kNodesMax) {
    return Error{Code::kTooLarge,
                 formatted("the graph has {} nodes, the cut is made of at most {}: use one device",
                           graph.nodes().size(), kNodesMax)};
  }
  if (candidates.empty()) return Error{Code::kInvalid, "there is no device to cut for: name one"};
  std::vector<size_t> given(graph.nodes().size());
  std::iota(given.begin(), given.end(), size_t{0});
  Cut first = TRY(cut_in_order(graph, candidates, given));
  const std::vector<size_t> clustered = clustered_order(graph, candidates);
  if (clustered == given) return first;
  auto second = cut_in_order(graph, candidates, clustered);
  if (second && second->predicted_ns() < first.predicted_ns()) return second;
  return first;
}

}  // namespace casemate::driver
