// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/describe.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/engine/graph/name_text.h"

namespace casemate::engine {
namespace {

Status check_port(const Port& port, std::string_view kind) {
  const auto refused = [&](std::string_view why) {
    return Error{Code::kUnsupported, formatted("{} '{}' {}", kind, name_text(port.name), why)};
  };
  if (port.name.empty() || port.name.size() > 127)
    return refused("has a name that is empty or longer than 127 bytes");
  if (port.kind != Port::Kind::kTensor)
    return refused("is no tensor: sequences, maps and optionals stay inside a model");
  const auto type = element_type_from(static_cast<uint32_t>(port.type));
  if (!type || size_of(*type) == 0) return refused("has an element type that is not served");
  if (port.dims.size() > limits::kRank) {
    return refused(
        formatted("has {} dimensions, supported are at most {}", port.dims.size(), limits::kRank));
  }
  for (const int64_t extent : port.dims) {
    if (extent > 1ll << 31)
      return refused(formatted("has the extent {}, supported are 0 to 2^31", extent));
  }
  return {};
}

void describe_metadata(std::vector<std::pair<std::string, std::string>> entries,
                       ModelDescription& description) {
  // Those meant for our clients first; what does not fit is left out.
  std::ranges::stable_partition(
      entries, [](const auto& entry) { return entry.first.starts_with("casemate."); });
  for (const auto& [key, value] : entries) {
    if (description.metadata_count == ModelDescription::kMetadata) return;
    const MetadataEntry entry{Text<64>::from(key), Text<192>::from(value)};
    if (entry.key.view() != key || entry.value.view() != value) continue;
    description.metadata[description.metadata_count++] = entry;
  }
}

PortDescription described(const Port& port, const Shape& shape) {
  PortDescription description;
  description.name = Text<128>::from(port.name);
  description.type = static_cast<uint32_t>(port.type);
  description.rank = shape.rank();
  std::ranges::copy(shape.dims(), description.dims.begin());
  return description;
}

// What all the shapes have in common. Fails when they have different ranks.
Result<Shape> common_shape(const std::string& name, const std::vector<Shape>& shapes) {
  Shape common = shapes.front();
  for (const Shape& other : shapes) {
    if (other.rank() != common.rank()) {
      return Error{Code::kUnsupported,
                   formatted("output '{}' has the shape {} for one size of its inputs and {} for "
                             "another",
                             name, common.text(), other.text())};
    }
    for (uint32_t i = 0; i < common.rank(); ++i) {
      if (other[i] != common[i]) common[i] = -1;
    }
  }
  return common;
}

Result<Shape> output_shape(const ReadModel& model, const Variation& variation,
                           const std::vector<Graph>& shaped, size_t output) {
  const Port& port = model.outputs[output];
  std::vector<Shape> shapes;
  for (const Graph& graph : shaped)
    shapes.push_back(graph.value(graph.outputs()[output]).shapes.front());
  const bool all_sizes = !variation.any || variation.batched;
  if (!shapes.empty() && (all_sizes || shapes.size() > 1)) return common_shape(port.name, shapes);
  if (port.shaped) return Shape(port.dims);
  return Error{Code::kUnsupported,
               formatted("output '{}' has no shape in the file, and what it has depends on data: "
                         "export the model with one",
                         port.name)};
}

}  // namespace

Status check_ports(const ReadModel& model) {
  for (const auto& [list, kind] :
       {std::pair(&model.inputs, "input"), std::pair(&model.outputs, "output")}) {
    if (list->size() > limits::kModelPorts) {
      return Error{Code::kTooLarge, formatted("the model has {} {}s, supported are at most {}",
                                              list->size(), kind, limits::kModelPorts)};
    }
    for (const Port& port : *list) TRY(check_port(port, kind));
  }
  for (const Port& port : model.inputs) {
    if (!port.shaped) {
      return Error{Code::kUnsupported,
                   formatted("input '{}' has no shape: export the model with one", port.name)};
    }
  }
  return {};
}

Variation variation_of(const std::vector<Port>& inputs) {
  Variation variation;
  bool batched = true;
  std::optional<std::string> symbol;
  for (const Port& input : inputs) {
    for (size_t i = 0; i < input.dims.size(); ++i) {
      if (input.dims[i] >= 0) continue;
      variation.any = true;
      if (!symbol) symbol = input.symbols[i];
      batched = batched && i == 0 && input.symbols[i] == *symbol;
    }
  }
  variation.batched = variation.any && batched;
  return variation;
}

std::vector<Fact> facts_of(const std::vector<Port>& inputs,
                           const std::function<int64_t(const std::string& symbol)>& extent) {
  std::vector<Fact> facts;
  for (const Port& input : inputs) {
    Shape shape(input.dims);
    for (uint32_t i = 0; i < shape.rank(); ++i) {
      if (shape[i] < 0) shape[i] = extent(input.symbols[i]);
    }
    facts.push_back(Fact::of(input.type, shape));
  }
  return facts;
}

Status describe(const ReadModel& model, const Variation& variation,
                const std::vector<Graph>& shaped, ModelDescription& description) {
  for (const Port& port : model.inputs)
    description.inputs[description.input_count++] = described(port, Shape(port.dims));
  for (size_t i = 0; i < model.outputs.size(); ++i) {
    Port port = model.outputs[i];
    // The file may say less of an output, or something else, than what the graph makes.
    if (!shaped.empty()) port.type = shaped.front().value(shaped.front().outputs()[i]).type;
    description.outputs[description.output_count++] =
        described(port, TRY(output_shape(model, variation, shaped, i)));
  }
  describe_metadata(model.metadata, description);
  return {};
}

std::optional<Graph> as_variants(const Graph& first, const Graph& second,
                                 std::vector<int64_t> batch_sizes) {
  const auto same_node = [](const Node& a, const Node& b) {
    return a.op == b.op && a.inputs == b.inputs && a.outputs == b.outputs && a.raw == b.raw &&
           a.attributes == b.attributes;
  };
  if (first.value_count() != second.value_count() ||
      !std::ranges::equal(first.nodes(), second.nodes(), same_node) ||
      first.outputs() != second.outputs())
    return std::nullopt;
  for (uint32_t i = 0; i < first.value_count(); ++i) {
    const Value& a = first.value({i});
    const Value& b = second.value({i});
    if (a.type != b.type || a.constant.has_value() != b.constant.has_value()) return std::nullopt;
    if (a.constant && !(*a.constant == *b.constant)) return std::nullopt;
    if (a.shapes.front().rank() != b.shapes.front().rank()) return std::nullopt;
  }
  return first.with_variant(second, std::move(batch_sizes));
}

}  // namespace casemate::engine
