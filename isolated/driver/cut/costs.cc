// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/cut/costs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/engine/graph/work.h"

namespace casemate::driver {
namespace {

std::string operand_text(const engine::Graph& graph, engine::ValueId id) {
  if (!id.present()) return " -";
  const engine::Value& value = graph.value(id);
  return formatted(" {}{}{}", name_of(value.type), value.shapes.front().text(),
                   value.constant ? "c" : "");
}

std::string attribute_text(const std::string& name, const engine::Attribute& attribute) {
  if (const auto* number = std::get_if<int64_t>(&attribute))
    return formatted(" {}={}", name, *number);
  const auto* list = std::get_if<std::vector<int64_t>>(&attribute);
  if (list == nullptr) return {};
  std::string text;
  for (const int64_t each : *list) text += formatted("{}{}", text.empty() ? "" : ",", each);
  return formatted(" {}={}", name, text);
}

double distance(uint64_t a, uint64_t b) {
  const auto most = static_cast<double>(std::max<uint64_t>(std::max(a, b), 1));
  return most / static_cast<double>(std::max<uint64_t>(std::min(a, b), 1));
}

}  // namespace

std::string form_of(const engine::Graph& graph, const engine::Node& node) {
  std::string text = node.op;
  for (const engine::PostOp& post : node.post_ops) text += "+" + post.op;
  for (const engine::ValueId id : node.inputs) text += operand_text(graph, id);
  text += " ->";
  for (const engine::ValueId id : node.outputs) text += operand_text(graph, id);
  for (const auto& [name, attribute] : node.attributes.all())
    text += attribute_text(name, attribute);
  return text;
}

uint64_t work_units(const engine::Graph& graph, const engine::Node& node) {
  const engine::Work work = engine::work_of(graph, node, 0);
  return work.flops > UINT64_MAX - work.bytes ? UINT64_MAX : work.flops + work.bytes;
}

bool Costs::takes(const engine::Graph& graph, const engine::Node& node) const {
  return !refused.contains(form_of(graph, node));
}

double Costs::node_ns(const engine::Graph& graph, const engine::Node& node) const {
  const std::string form = form_of(graph, node);
  const uint64_t work = work_units(graph, node);
  const MeasuredNode* nearest = nullptr;
  bool same = false;
  for (const MeasuredNode& each : nodes) {
    if (each.form == form) return each.ns;
    const bool alike = each.op == node.op;
    if (same && !alike) continue;
    if (nearest == nullptr || (alike && !same) ||
        distance(each.work, work) < distance(nearest->work, work)) {
      nearest = &each;
      same = alike;
    }
  }
  if (nearest == nullptr) return 0;
  return nearest->ns * static_cast<double>(std::max<uint64_t>(work, 1)) /
         static_cast<double>(std::max<uint64_t>(nearest->work, 1));
}

std::string Costs::text() const {
  std::string text =
      formatted("a run {:.1f} us, a copy {:.1f} us; {:.2f} GB/s in, {:.2f} GB/s out\n",
                run_ns / 1e3, copy_ns / 1e3, write_ns_per_byte > 0 ? 1 / write_ns_per_byte : 0,
                read_ns_per_byte > 0 ? 1 / read_ns_per_byte : 0);
  for (const MeasuredNode& node : nodes)
    text += formatted("{:12.1f} us  {}\n", node.ns / 1e3, node.form);
  for (const auto& [form, why] : refused) text += formatted("       refused  {}: {}\n", form, why);
  return text;
}

std::string Costs::json() const {
  using Json = nlohmann::ordered_json;
  Json json = {{"run_ns", run_ns},
               {"copy_ns", copy_ns},
               {"write_ns_per_byte", write_ns_per_byte},
               {"read_ns_per_byte", read_ns_per_byte},
               {"nodes", Json::array()},
               {"refused", Json::array()}};
  for (const MeasuredNode& node : nodes) {
    json["nodes"].push_back(
        {{"operator", node.op}, {"form", node.form}, {"work", node.work}, {"ns", node.ns}});
  }
  for (const auto& [form, why] : refused) json["refused"].push_back({{"form", form}, {"why", why}});
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace casemate::driver
