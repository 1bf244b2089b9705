// SPDX-License-Identifier: Apache-2.0
// A cut, printed.
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/driver/cut/cut.h"

namespace casemate::driver {
namespace {

constexpr size_t kNameMax = 40;

std::string cut_short(std::string name) {
  if (name.size() > kNameMax) name = name.substr(0, kNameMax - 3) + "...";
  return name;
}

std::string span_text(const engine::Graph& graph, const CutPiece& piece) {
  const std::string first = cut_short(graph.nodes()[piece.nodes.front()].name);
  if (piece.nodes.size() == 1) return first;
  return first + " .. " + cut_short(graph.nodes()[piece.nodes.back()].name);
}

}  // namespace

std::string Cut::text(const engine::Graph& graph, const std::vector<double>& measured_ns) const {
  const bool measured = measured_ns.size() == pieces.size();
  std::string text = "piece  device      nodes  bytes in  bytes out  predicted ms";
  text += measured ? "  measured ms\n" : "\n";
  double sum = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const CutPiece& piece = pieces[i];
    text += formatted("{:>5}  {:<10}  {:>5}  {:>8}  {:>9}  {:>12.4f}", i, devices[piece.device],
                      piece.nodes.size(), piece.input_bytes, piece.output_bytes,
                      (piece.run_ns + piece.copy_ns) / 1e6);
    if (measured) text += formatted("  {:>11.4f}", measured_ns[i] / 1e6);
    if (measured) sum += measured_ns[i];
    text += "  " + span_text(graph, piece) + "\n";
  }
  text += formatted("{} pieces, predicted {:.4f} ms", pieces.size(), predicted_ns() / 1e6);
  return text + (measured ? formatted(", measured {:.4f} ms\n", sum / 1e6) : "\n");
}

std::string Cut::json(const engine::Graph& graph, const std::vector<double>& measured_ns) const {
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
    Json one = {{"device", devices[piece.device]},  {"nodes", std::move(nodes)},
                {"inputs", names(piece.inputs)},    {"outputs", names(piece.outputs)},
                {"bytes_in", piece.input_bytes},    {"bytes_out", piece.output_bytes},
                {"predicted_run_ns", piece.run_ns}, {"predicted_copy_ns", piece.copy_ns}};
    if (measured_ns.size() == pieces.size()) one["measured_ns"] = measured_ns[i];
    json["pieces"].push_back(std::move(one));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace casemate::driver
