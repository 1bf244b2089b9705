// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/cut/cut.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/cut/piece.h"

namespace casemate::driver {
namespace {

using engine::Graph;
using engine::Node;
using engine::ValueId;

// Costs of a device that takes the same for every node.
Costs flat(double node_ns, double run_ns = 10, double copy_ns = 5, double byte_ns = 0.1) {
  return {.run_ns = run_ns,
          .copy_ns = copy_ns,
          .write_ns_per_byte = byte_ns,
          .read_ns_per_byte = byte_ns,
          .nodes = {{.op = "Relu", .form = "any", .work = 1, .ns = node_ns}}};
}

Candidate taking(std::string name, const Graph& graph, const std::vector<std::string>& operators,
                 Costs costs) {
  Candidate made{.name = std::move(name), .costs = std::move(costs)};
  for (const Node& node : graph.nodes()) {
    const bool taken = operators.empty() || std::ranges::contains(operators, node.op);
    made.refusals.push_back(taken ? "" : "not made for " + node.op);
  }
  return made;
}

// A random graph of elementwise nodes, most of which read what was made lately.
Graph random_graph(std::mt19937& random, int nodes) {
  engine::Draft d;
  std::vector<ValueId> values = {d.input({4, 4}), d.input({4, 4})};
  const auto pick = [&] {
    const size_t back = random() % std::min<size_t>(values.size(), random() % 4 == 0 ? 8 : 2);
    return values[values.size() - 1 - back];
  };
  for (int i = 0; i < nodes; ++i) {
    static const char* const kOps[] = {"Relu", "Tanh", "Abs"};
    const ValueId made =
        random() % 3 == 0 ? d.add(pick(), pick()) : d.same(kOps[random() % 3], pick());
    values.push_back(made);
  }
  return d.finish({values.back(), values[values.size() / 2]});
}

double bytes_of_value(const Graph& graph, ValueId id) {
  return static_cast<double>(
      *engine::tensor_bytes(graph.value(id).type, graph.value(id).shapes.front()));
}

// What one piece costs, counted from the definition.
double cost_of(const Graph& graph, const Candidate& device, const std::vector<size_t>& nodes) {
  const std::set<size_t> inside(nodes.begin(), nodes.end());
  std::set<ValueId> made;
  std::set<ValueId> read;
  double ns = device.costs.run_ns;
  for (const size_t index : nodes) {
    const Node& node = graph.nodes()[index];
    if (!device.refusals[index].empty()) return std::numeric_limits<double>::infinity();
    ns += device.costs.node_ns(graph, node);
    for (const ValueId id : node.inputs) {
      if (graph.constant(id) == nullptr && !made.contains(id)) read.insert(id);
    }
    made.insert(node.outputs.begin(), node.outputs.end());
  }
  const engine::Uses uses(graph);
  for (const ValueId id : read)
    ns += device.costs.write_ns(static_cast<uint64_t>(bytes_of_value(graph, id)));
  for (const ValueId id : made) {
    const bool leaves = uses.is_output(id) || std::ranges::any_of(uses.readers(id), [&](size_t r) {
                          return !inside.contains(r);
                        });
    if (leaves) ns += device.costs.read_ns(static_cast<uint64_t>(bytes_of_value(graph, id)));
  }
  return ns;
}

// The best of all ways to cut [begin, end) of the graph's own order, tried one by one.
double best_of_all(const Graph& graph, const std::vector<Candidate>& devices, size_t begin) {
  const size_t count = graph.nodes().size();
  if (begin == count) return 0;
  double best = std::numeric_limits<double>::infinity();
  std::vector<size_t> nodes;
  for (size_t end = begin; end < count; ++end) {
    nodes.push_back(end);
    const double rest = best_of_all(graph, devices, end + 1);
    for (const Candidate& device : devices)
      best = std::min(best, cost_of(graph, device, nodes) + rest);
  }
  return best;
}

std::vector<size_t> own_order(const Graph& graph) {
  std::vector<size_t> order(graph.nodes().size());
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

TEST(Cut, costs_what_the_best_of_all_cuts_of_its_order_costs) {
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    const Graph graph = random_graph(random, 9);
    const std::vector<Candidate> devices = {
        taking("a", graph, {}, flat(static_cast<double>(random() % 200))),
        taking("b", graph, {"Relu", "Tanh"}, flat(static_cast<double>(random() % 60), 20, 2)),
        taking("c", graph, {"Add", "Abs"}, flat(1, 1, 1, 0.01))};
    const auto cut = cut_in_order(graph, devices, own_order(graph));
    ASSERT_TRUE(cut) << cut.error().text;
    EXPECT_NEAR(cut->predicted_ns(), best_of_all(graph, devices, 0), 1e-6) << round;
    double sum = 0;
    for (const CutPiece& piece : cut->pieces) {
      const double ns = cost_of(graph, devices[piece.device], piece.nodes);
      EXPECT_NEAR(piece.run_ns + piece.copy_ns, ns, 1e-6);
      sum += ns;
    }
    EXPECT_NEAR(cut->predicted_ns(), sum, 1e-6);
  }
}

TEST(Cut, has_each_node_once_and_pieces_that_can_run_in_their_order) {
  std::mt19937 random(9);
  for (int round = 0; round < 40; ++round) {
    const Graph graph = random_graph(random, 30);
    const auto cut = make_cut(graph, {taking("a", graph, {"Relu", "Add"}, flat(5)),
                                      taking("b", graph, {"Tanh", "Abs"}, flat(5))});
    ASSERT_TRUE(cut) << cut.error().text;
    std::set<size_t> seen;
    std::set<ValueId> there(graph.inputs().begin(), graph.inputs().end());
    for (const CutPiece& piece : cut->pieces) {
      for (const ValueId id : piece.inputs) EXPECT_TRUE(there.contains(id));
      for (const size_t node : piece.nodes) EXPECT_TRUE(seen.insert(node).second);
      EXPECT_TRUE(piece_of(graph, piece.nodes, piece.inputs, piece.outputs).sound());
      there.insert(piece.outputs.begin(), piece.outputs.end());
    }
    EXPECT_EQ(seen.size(), graph.nodes().size());
    for (const ValueId id : graph.outputs()) EXPECT_TRUE(there.contains(id));
  }
}

TEST(Cut, brings_nodes_of_one_device_together_where_the_graph_has_them_in_turn) {
  engine::Draft d;
  const ValueId x = d.input({4, 4});
  ValueId a = x;
  ValueId b = x;
  for (int i = 0; i < 5; ++i) {
    a = d.same("Relu", a);
    b = d.same("Tanh", b);
  }
  const Graph graph = d.finish({a, b});
  const std::vector<Candidate> devices = {taking("a", graph, {"Relu"}, flat(5)),
                                          taking("b", graph, {"Tanh"}, flat(5))};
  EXPECT_EQ(cut_in_order(graph, devices, own_order(graph))->pieces.size(), 10u);
  EXPECT_EQ(make_cut(graph, devices)->pieces.size(), 2u);
}

TEST(Cut, leaves_a_device_only_where_that_pays) {
  engine::Draft d;
  ValueId x = d.input({4, 4});
  for (int i = 0; i < 6; ++i) x = d.same("Relu", x);
  const Graph graph = d.finish({x});
  const auto cut_with = [&](double copy_ns) {
    return *make_cut(graph, {taking("slow", graph, {}, flat(100)),
                             taking("fast", graph, {}, flat(10, 10, copy_ns))});
  };
  EXPECT_EQ(cut_with(1).devices[cut_with(1).pieces[0].device], "fast");
  EXPECT_EQ(cut_with(1e6).devices[cut_with(1e6).pieces[0].device], "slow");
  EXPECT_EQ(cut_with(1).pieces.size(), 1u);
}

TEST(Cut, names_the_node_that_no_device_takes_and_what_each_says) {
  engine::Draft d;
  const Graph graph = d.finish({d.same("Tanh", d.same("Relu", d.input({2})))});
  const auto cut = make_cut(graph, {taking("npu:0", graph, {"Relu"}, flat(1)),
                                    taking("fake:0", graph, {"Abs"}, flat(1))});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kUnsupported);
  for (const char* part : {"(Relu)", "(Tanh)", "npu:0: not made for Tanh", "fake:0: "})
    EXPECT_EQ(cut.error().text.contains(part), std::string(part) != "(Relu)") << cut.error().text;
}

TEST(Cut, keeps_a_piece_below_the_memory_of_its_device) {
  engine::Draft d;
  ValueId x = d.input({16, 16});
  for (int i = 0; i < 8; ++i) x = d.same("Relu", x);
  const Graph graph = d.finish({x});
  Candidate small = taking("small", graph, {}, flat(1));
  EXPECT_EQ(make_cut(graph, {small})->pieces.size(), 1u);
  small.memory_bytes = 4 * 1024;  // three nodes and what they read
  const auto cut = make_cut(graph, {small});
  ASSERT_TRUE(cut) << cut.error().text;
  EXPECT_EQ(cut->pieces.size(), 3u);
  small.memory_bytes = 1024;
  const auto none = make_cut(graph, {small});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kTooLarge);
}

TEST(Cut, of_more_nodes_than_it_can_look_at_is_refused) {
  engine::Draft d;
  ValueId x = d.input({1});
  for (size_t i = 0; i <= kNodesMax; ++i) x = d.same("Relu", x);
  const Graph graph = d.finish({x});
  const auto cut = make_cut(graph, {taking("a", graph, {}, flat(1))});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kTooLarge);
}

TEST(Cut, of_a_graph_without_nodes_is_empty) {
  engine::Draft d;
  const Graph graph = d.finish({d.input({3})});
  const auto cut = make_cut(graph, {taking("a", graph, {}, flat(1))});
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->pieces.empty());
}

TEST(Costs, of_a_node_that_leaves_its_first_output_out_are_those_of_the_next) {
  engine::Draft d;
  const ValueId x = d.input({4, 4});
  d.graph.add_node(
      {.op = "Relu", .name = "both", .inputs = {x}},
      {{"", ElementType::kFloat32, {Shape{}}}, {"second", ElementType::kFloat32, {Shape{4, 4}}}});
  const ValueId second = d.graph.nodes()[0].outputs[1];
  const Graph graph = d.finish({second});
  EXPECT_EQ(work_units(graph, graph.nodes()[0]), 16u + 2 * 64u);
  EXPECT_TRUE(make_cut(graph, {taking("a", graph, {}, flat(5))}));
}

TEST(Costs, estimate_what_was_not_measured_by_the_nearest_work_of_the_operator) {
  engine::Draft d;
  const ValueId x = d.input({4, 4});
  const Graph graph = d.finish({d.same("Relu", x), d.same("Tanh", x)});
  const Node& relu = graph.nodes()[0];
  const uint64_t work = work_units(graph, relu);
  Costs costs;
  costs.nodes = {{.op = "Relu", .form = "small", .work = work / 4, .ns = 10},
                 {.op = "Relu", .form = "large", .work = work * 100, .ns = 1e6},
                 {.op = "Abs", .form = "equal", .work = work, .ns = 7}};
  EXPECT_DOUBLE_EQ(costs.node_ns(graph, relu), 40) << "in proportion to the work";
  EXPECT_DOUBLE_EQ(costs.node_ns(graph, graph.nodes()[1]), 7) << "of another operator";
  costs.nodes.push_back({.op = "Relu", .form = form_of(graph, relu), .work = work, .ns = 3});
  EXPECT_DOUBLE_EQ(costs.node_ns(graph, relu), 3);
}

}  // namespace
}  // namespace casemate::driver
