// SPDX-License-Identifier: Apache-2.0
#include "outside/client/protocol.h"

#include <algorithm>

#include "base/format.h"
#include "base/limits.h"
#include "base/log.h"
#include "outside/verdict/strict_json.h"

namespace casemate::client {
namespace {

using Json = nlohmann::json;

// No extent of a tensor that fits into limits::kTensorBytes is larger, and products of
// limits::kRank such extents are checked for overflow by Shape.
constexpr uint64_t kExtentMax = 1ull << 40;
constexpr size_t kModels = 4096;

Error lie(std::string_view what) {
  return {Code::kPartitionFailed, formatted("the server's answer breaks the protocol: {}", what)};
}

Result<Json> parse(Bytes body) {
  auto json = verify::parse_json(text_of(body), "the server's answer");
  if (!json) return lie(json.error().text);
  return json;
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// The text of a member; empty when it is absent or of another type.
std::string text_in(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

Result<Shape> read_shape(const Json& object, int64_t extent_min) {
  const Json* list = member(object, "shape");
  if (list == nullptr || !list->is_array()) return lie("a tensor without \"shape\"");
  if (list->size() > limits::kRank) return lie("a tensor of more than 8 dimensions");
  std::array<int64_t, limits::kRank> dims{};
  for (size_t i = 0; i < list->size(); ++i) {
    const Json& extent = (*list)[i];
    // Numbers beyond 2^63 are unsigned to the library and would come out negative.
    const bool sound = extent.is_number_unsigned()
                           ? extent.get<uint64_t>() <= kExtentMax
                           : extent.is_number_integer() && extent.get<int64_t>() >= extent_min;
    if (!sound) return lie("an extent of \"shape\" is out of range");
    dims[i] = extent.get<int64_t>();
  }
  return Shape(std::span(dims).first(list->size()));
}

// What inputs, outputs and tensors have in common.
Result<Port> read_port(const Json& object, int64_t extent_min) {
  Port port;
  port.name = text_in(object, "name");
  if (port.name.empty()) return lie("a tensor without \"name\"");
  const std::string type = text_in(object, "datatype");
  const auto known = element_type_named(type);
  if (!known) {
    return lie(formatted("tensor \"{}\" has the unknown datatype \"{}\"", printable(port.name, 64),
                         printable(type, 20)));
  }
  port.type = *known;
  port.shape = TRY(read_shape(object, extent_min));
  return port;
}

Result<std::vector<Port>> read_ports(const Json& object, const char* key) {
  const Json* list = member(object, key);
  if (list == nullptr || !list->is_array() || list->size() > limits::kModelPorts)
    return lie(formatted("\"{}\" is no list of at most {}", key, limits::kModelPorts));
  std::vector<Port> ports;
  for (const Json& port : *list) ports.push_back(TRY(read_port(port, -1)));
  return ports;
}

// One output, whose bytes are taken from the front of `data`.
Result<Tensor> read_output(const Json& object, Bytes& data) {
  Port port = TRY(read_port(object, 0));
  const auto refuse = [&](std::string_view why) {
    return lie(formatted("output \"{}\" {}", printable(port.name, 64), why));
  };
  const Json* parameters = member(object, "parameters");
  const Json* size = parameters == nullptr ? nullptr : member(*parameters, "binary_data_size");
  if (size == nullptr || !size->is_number_unsigned())
    return refuse("does not come as binary data, which we asked for");
  if (member(object, "data") != nullptr) return refuse("comes both as binary and as JSON");
  const auto bytes = size->get<uint64_t>();
  if (bytes > data.size())
    return refuse(formatted("should have {} bytes, and {} are left", bytes, data.size()));
  const Bytes own = data.first(bytes);
  if (const auto sound = check_tensor(port.name, port.type, port.shape, own); !sound)
    return lie(sound.error().text);
  data = data.subspan(bytes);
  return Tensor{std::move(port.name), port.type, port.shape, {own.begin(), own.end()}};
}

struct CodeOfStatus {
  unsigned status;
  Code code;
};
constexpr CodeOfStatus kCodes[] = {
    {400, Code::kInvalid},     {401, Code::kDenied},          {403, Code::kDenied},
    {404, Code::kNotFound},    {405, Code::kUnsupported},     {408, Code::kTimedOut},
    {413, Code::kTooLarge},    {429, Code::kUnavailable},     {500, Code::kPlatform},
    {501, Code::kUnsupported}, {502, Code::kPartitionFailed}, {503, Code::kUnavailable},
    {504, Code::kTimedOut},
};

}  // namespace

std::string inference_json(std::span<const Tensor> inputs) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Tensor& input : inputs) {
    nlohmann::ordered_json entry;
    entry["name"] = input.name;
    entry["shape"] = std::vector<int64_t>(input.shape.dims().begin(), input.shape.dims().end());
    entry["datatype"] = name_of(input.type);
    entry["parameters"] = {{"binary_data_size", input.data.size()}};
    list.push_back(std::move(entry));
  }
  nlohmann::ordered_json request;
  request["parameters"] = {{"binary_data_output", true}};
  request["inputs"] = std::move(list);
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::vector<Tensor>> read_inference(std::optional<uint64_t> json_size, Bytes body) {
  if (json_size.value_or(0) > body.size())
    return lie("Inference-Header-Content-Length is larger than the body");
  const Bytes head = body.first(json_size.value_or(body.size()));
  Bytes data = body.subspan(head.size());
  const Json json = TRY(parse(head));
  const Json* outputs = member(json, "outputs");
  if (outputs == nullptr || !outputs->is_array() || outputs->size() > limits::kModelPorts)
    return lie(formatted("\"outputs\" is no list of at most {}", limits::kModelPorts));
  std::vector<Tensor> tensors;
  for (const Json& output : *outputs) {
    Tensor tensor = TRY(read_output(output, data));
    if (std::ranges::contains(tensors, tensor.name, &Tensor::name))
      return lie(formatted("output \"{}\" is there twice", printable(tensor.name, 64)));
    tensors.push_back(std::move(tensor));
  }
  if (!data.empty()) return lie(formatted("{} bytes follow the last output", data.size()));
  return tensors;
}

Result<ModelMetadata> read_metadata(Bytes body) {
  const Json json = TRY(parse(body));
  ModelMetadata metadata;
  metadata.name = text_in(json, "name");
  if (metadata.name.empty()) return lie("metadata without \"name\"");
  metadata.platform = text_in(json, "platform");
  metadata.inputs = TRY(read_ports(json, "inputs"));
  metadata.outputs = TRY(read_ports(json, "outputs"));
  if (const Json* versions = member(json, "versions"); versions != nullptr) {
    for (const Json& version : *versions) {
      if (version.is_string()) metadata.versions.push_back(version.get<std::string>());
    }
  }
  if (const Json* properties = member(json, "properties");
      properties != nullptr && properties->is_object()) {
    for (const auto& [key, value] : properties->items()) {
      if (value.is_string()) metadata.properties.emplace(key, value.get<std::string>());
    }
  }
  return metadata;
}

Result<std::vector<ModelEntry>> read_index(Bytes body) {
  const Json json = TRY(parse(body));
  if (!json.is_array() || json.size() > kModels) return lie("the index is no list of models");
  std::vector<ModelEntry> entries;
  for (const Json& entry : json) {
    entries.push_back({text_in(entry, "name"), text_in(entry, "version"), text_in(entry, "state"),
                       text_in(entry, "reason")});
    if (entries.back().name.empty()) return lie("the index has a model without \"name\"");
  }
  return entries;
}

Error read_error(unsigned status, Bytes body) {
  const auto found = std::ranges::find(kCodes, status, &CodeOfStatus::status);
  const Code code = found == std::end(kCodes) ? Code::kPlatform : found->code;
  const auto json = verify::parse_json(text_of(body), "error");
  const std::string sentence = json ? text_in(*json, "error") : "";
  if (sentence.empty())
    return {code, formatted("the server answered with status {} and no explanation", status)};
  return {code, formatted("the server answered: {}", printable(sentence))};
}

}  // namespace casemate::client
