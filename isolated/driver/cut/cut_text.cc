// SPDX-License-Identifier: Apache-2.0
// A cut, printed.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/driver/cut/cut.h"

namespace casemate::driver {
namespace {

constexpr size_t kOperatorsShown = 4;
constexpr size_t kOperatorMax = 40;

std::map<std::string, uint64_t> operators_of(const engine::Graph& graph, const CutPiece& piece) {
  std::map<std::string, uint64_t> counts;
  for (const size_t node : piece.nodes) ++counts[graph.nodes()[node].op];
  return counts;
}

// "26 Conv, 26 Relu, ..."
std::string operators_text(const engine::Graph& graph, const CutPiece& piece) {
  const auto counts = operators_of(graph, piece);
  std::vector<std::pair<std::string, uint64_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{},
                           [](const auto& entry) { return entry.second; });
  std::string text;
  for (size_t i = 0; i < std::min(sorted.size(), kOperatorsShown); ++i) {
    std::string name = sorted[i].first;
    if (name.size() > kOperatorMax) name = name.substr(0, kOperatorMax - 3) + "...";
    text += formatted("{}{} {}", text.empty() ? "" : ", ", sorted[i].second, name);
  }
  return sorted.size() > kOperatorsShown ? text + ", ..." : text;
}

}  // namespace

std::string Cut::text(const engine::Graph& graph, const std::vector<PieceTime>& measured) const {
  const bool known = measured.size() == pieces.size();
  const auto row = [&](std::string begin, const PieceTime& wanted, const PieceTime& found) {
    begin += formatted("  {:>10.4f}", wanted.run_ns / 1e6);
    if (known) begin += formatted("  {:>10.4f}", found.run_ns / 1e6);
    begin += formatted("  {:>10.4f}", wanted.copy_ns / 1e6);
    if (known) begin += formatted("  {:>10.4f}", found.copy_ns / 1e6);
    return begin + "  ";
  };
  std::string text;
  if (known) text = formatted("{:>47}{:>20}{:>24}\n", "", "run, ms", "copies, ms");
  text += "piece  device      nodes    bytes in   bytes out";
  text += known ? "   predicted    measured   predicted    measured  operators\n"
                : "     run, ms  copies, ms  operators, as predicted\n";
  PieceTime wanted;
  PieceTime found;
  size_t nodes = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const CutPiece& piece = pieces[i];
    const PieceTime predicted{piece.run_ns, piece.copy_ns};
    text += row(formatted("{:>5}  {:<10}  {:>5}  {:>10}  {:>10}", i, devices[piece.device],
                          piece.nodes.size(), piece.input_bytes, piece.output_bytes),
                predicted, known ? measured[i] : PieceTime{});
    text += operators_text(graph, piece) + "\n";
    wanted = {wanted.run_ns + piece.run_ns, wanted.copy_ns + piece.copy_ns};
    if (known) found = {found.run_ns + measured[i].run_ns, found.copy_ns + measured[i].copy_ns};
    nodes += piece.nodes.size();
  }
  text += row(formatted("  sum  {:<10}  {:>5}  {:>10}  {:>10}", "", nodes, "", ""), wanted, found);
  text += formatted("predicted {:.4f} ms", wanted.sum_ns() / 1e6);
  return text + (known ? formatted(", measured {:.4f} ms\n", found.sum_ns() / 1e6) : "\n");
}

std::string Cut::json(const engine::Graph& graph, const std::vector<PieceTime>& measured) const {
  using Json = nlohmann::ordered_json;
  const auto names = [&](const std::vector<engine::ValueId>& ids) {
    Json list = Json::array();
    for (const engine::ValueId id : ids) list.push_back(graph.value(id).name);
    return list;
  };
  Json json = {{"devices", devices}, {"predicted_ns", predicted_ns()}, {"pieces", Json::array()}};
  for (size_t i = 0; i < pieces.size(); ++i) {
    const CutPiece& piece = pieces[i];
    Json nodes = Json::array();
    for (const size_t node : piece.nodes) nodes.push_back(graph.nodes()[node].name);
    Json one = {{"device", devices[piece.device]},         {"nodes", std::move(nodes)},
                {"operators", operators_of(graph, piece)}, {"inputs", names(piece.inputs)},
                {"outputs", names(piece.outputs)},         {"bytes_in", piece.input_bytes},
                {"bytes_out", piece.output_bytes},         {"predicted_run_ns", piece.run_ns},
                {"predicted_copy_ns", piece.copy_ns}};
    if (measured.size() == pieces.size()) {
      one["measured_run_ns"] = measured[i].run_ns;
      one["measured_copy_ns"] = measured[i].copy_ns;
    }
    json["pieces"].push_back(std::move(one));
  }
  return json.dump(2, ' ', true, Json::error_handler_t::replace);
}

}  // namespace casemate::driver
