// SPDX-License-Identifier: Apache-2.0
// Each distinct node of a graph, run alone on a device and timed.
#include <algorithm>
#include <limits>
#include <set>

#include "base/format.h"
#include "isolated/driver/cut/costs.h"
#include "isolated/driver/cut/piece.h"

namespace casemate::driver {
namespace {

using engine::Graph;
using engine::Node;
using engine::ValueId;

class Measurer final {
 public:
  Measurer(Device& device, const MeasureOptions& options, Clock& clock)
      : device_(device), options_(options), clock_(clock) {}

  Result<Costs> run(const Graph& graph) {
    queue_ = TRY(device_.make_queue());
    TRY(measure_copies());
    TRY(measure_nothing());
    std::set<std::string> seen;
    for (size_t i = 0; i < graph.nodes().size(); ++i) {
      const Node& node = graph.nodes()[i];
      std::string form = form_of(graph, node);
      if (!seen.insert(form).second) continue;
      const auto ns = node_alone(graph, i);
      if (ns) {
        costs_.nodes.push_back({.op = node.op,
                                .form = std::move(form),
                                .work = work_units(graph, node),
                                .ns = std::max(*ns - costs_.run_ns, 0.0)});
        continue;
      }
      if (device_.state().health != Health::kWell || ns.error().code == Code::kTimedOut)
        return ns.error();
      costs_.refused.emplace(std::move(form), ns.error().text);
      queue_.reset();  // what was refused may have failed it
      queue_ = TRY(device_.make_queue());
    }
    return std::move(costs_);
  }

 private:
  // The best of some rounds, after one that warms up.
  template <class Submit>
  Result<double> best_of(Submit submit) {
    double best = std::numeric_limits<double>::max();
    for (int round = 0; round <= options_.rounds; ++round) {
      const Instant start = clock_.now();
      const auto fence = TRY(submit());
      TRY(fence->wait(start + options_.node_max));
      if (round > 0) best = std::min(best, static_cast<double>((clock_.now() - start).count()));
    }
    return best;
  }

  Status measure_copies() {
    const DeviceLimits& limits = device_.limits();
    const uint64_t bytes =
        std::min({options_.copy_bytes, limits.buffer_bytes_max, limits.memory_bytes / 4});
    const auto buffer = TRY(device_.make_buffer(bytes));
    std::vector<uint8_t> host(bytes);
    costs_.copy_ns = TRY(best_of([&] { return queue_->write(*buffer, 0, {}); }));
    if (bytes == 0) return {};
    const double written = TRY(best_of([&] { return queue_->write(*buffer, 0, host); }));
    const double read = TRY(best_of([&] { return queue_->read(*buffer, 0, host); }));
    const auto each = [&](double ns) {
      return std::max(ns - costs_.copy_ns, 0.0) / static_cast<double>(bytes);
    };
    costs_.write_ns_per_byte = each(written);
    costs_.read_ns_per_byte = each(read);
    return {};
  }

  // A run of the smallest node that the device takes; where it takes none of these, runs are in
  // what nodes take.
  Status measure_nothing() {
    for (const char* op : {"Identity", "Relu", "Abs", "Neg"}) {
      Graph graph;
      const ValueId x = graph.add_input({"x", ElementType::kFloat32, {Shape{1}}});
      graph.add_output(graph.add_node({.op = op, .name = op, .inputs = {x}},
                                      {{"y", ElementType::kFloat32, {Shape{1}}}}));
      const auto ns = node_alone(graph, 0);
      if (ns) costs_.run_ns = *ns;
      if (ns || device_.state().health != Health::kWell) return ns ? Status() : ns.error();
    }
    return {};
  }

  Result<double> node_alone(const Graph& graph, size_t index) {
    const Node& node = graph.nodes()[index];
    TRY(device_.takes(graph, node));
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;
    for (const ValueId id : node.inputs) {
      const bool given = id.present() && graph.constant(id) == nullptr;
      if (given && !std::ranges::contains(inputs, id)) inputs.push_back(id);
    }
    for (const ValueId id : node.outputs) {
      if (id.present()) outputs.push_back(id);
    }
    const Graph piece = piece_of(graph, std::span(&index, 1), inputs, outputs);
    const Program program = TRY(device_.compile(piece));
    auto ns = time_program(piece, program);
    device_.drop(program);
    return ns;
  }

  Result<double> time_program(const Graph& piece, Program program) {
    std::vector<std::unique_ptr<Buffer>> buffers;
    std::vector<Operand> from;
    std::vector<Operand> to;
    for (auto [ids, operands] : {std::pair(&piece.inputs(), &from), {&piece.outputs(), &to}}) {
      for (const ValueId id : *ids) {
        const engine::Value& value = piece.value(id);
        buffers.push_back(
            TRY(device_.make_buffer(TRY(engine::tensor_bytes(value.type, value.shapes.front())))));
        operands->push_back({buffers.back().get(), 0});
      }
    }
    return best_of([&] { return queue_->run(program, from, to); });
  }

  Device& device_;
  MeasureOptions options_;
  Clock& clock_;
  std::unique_ptr<Queue> queue_;
  Costs costs_;
};

}  // namespace

Result<Costs> measure(Device& device, const Graph& graph, const MeasureOptions& options,
                      Clock& clock) {
  return Measurer(device, options, clock).run(graph);
}

}  // namespace casemate::driver
