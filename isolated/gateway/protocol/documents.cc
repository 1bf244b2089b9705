// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/documents.h"

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/gateway/protocol/json_text.h"

namespace casemate::gateway {
namespace {

constexpr size_t kIndexBodyMax = 4096;

void write_ports(JsonWriter& json, std::span<const PortDescription> ports) {
  json.open('[');
  for (const PortDescription& port : ports) {
    json.open('{').key("name").text(port.name.view());
    json.key("datatype").text(name_of(port.element_type())).key("shape").open('[');
    const Shape shape = port.shape();
    for (const int64_t extent : shape.dims()) json.number(extent);
    json.close(']').close('}');
  }
  json.close(']');
}

std::string config_type(ElementType type) {
  return type == ElementType::kString ? "TYPE_STRING" : formatted("TYPE_{}", name_of(type));
}

// In a configuration, dims leave out the batch.
void write_config_ports(JsonWriter& json, std::span<const PortDescription> ports, bool batched,
                        bool input) {
  json.open('[');
  for (const PortDescription& port : ports) {
    json.open('{').key("name").text(port.name.view());
    json.key("data_type").text(config_type(port.element_type()));
    if (input) json.key("format").text("FORMAT_NONE");
    json.key("dims").open('[');
    const Shape shape = port.shape();
    for (const int64_t extent : shape.dims().subspan(batched && shape.rank() > 0 ? 1 : 0))
      json.number(extent);
    json.close(']').close('}');
  }
  json.close(']');
}

void write_timed(JsonWriter& json, std::string_view name, const Statistics::Timed& timed) {
  json.key(name).open('{').key("count").number(timed.count).key("ns").number(timed.ns).close('}');
}

void write_statistics(JsonWriter& json, const StatisticsEntry& entry) {
  const Statistics& s = *entry.statistics;
  json.open('{').key("name").text(entry.model.name).key("version").text(entry.model.version);
  json.key("last_inference").number(s.last_inference_ms);
  json.key("inference_count").number(s.inference_count);
  json.key("execution_count").number(s.execution_count);
  json.key("inference_stats").open('{');
  write_timed(json, "success", s.success);
  write_timed(json, "fail", s.fail);
  write_timed(json, "queue", s.queue);
  write_timed(json, "compute_input", s.compute_input);
  write_timed(json, "compute_infer", s.compute_infer);
  write_timed(json, "compute_output", s.compute_output);
  write_timed(json, "cache_hit", {});
  write_timed(json, "cache_miss", {});
  json.close('}');
  json.key("response_stats").open('{').close('}');  // of models with many answers to a request
  json.key("batch_stats").open('[');
  for (const auto& [size, batch] : s.batches) {
    json.open('{').key("batch_size").number(size);
    write_timed(json, "compute_input", batch.compute_input);
    write_timed(json, "compute_infer", batch.compute_infer);
    write_timed(json, "compute_output", batch.compute_output);
    json.close('}');
  }
  json.close(']').key("memory_usage").open('[').close(']').close('}');
}

}  // namespace

std::string server_document(std::string_view server_version) {
  std::string out;
  JsonWriter json(out);
  json.open('{').key("name").text("casemate").key("version").text(server_version);
  json.key("extensions").open('[');
  for (const std::string_view extension : kExtensions) json.text(extension);
  json.close(']').close('}');
  return out;
}

std::string metadata_document(const ModelLabel& model, std::span<const std::string> versions,
                              const ModelDescription& description) {
  std::string out;
  JsonWriter json(out);
  json.open('{').key("name").text(model.name).key("versions").open('[');
  for (const std::string& version : versions) json.text(version);
  json.close(']').key("platform").text("onnx_onnxv1").key("inputs");
  write_ports(json, std::span(description.inputs).first(description.input_count));
  json.key("outputs");
  write_ports(json, std::span(description.outputs).first(description.output_count));
  json.key("properties").open('{');
  for (const MetadataEntry& entry :
       std::span(description.metadata).first(description.metadata_count))
    json.key(entry.key.view()).text(entry.value.view());
  json.close('}').close('}');
  return out;
}

std::string config_document(const ModelLabel& model, const ModelDescription& description) {
  std::string out;
  JsonWriter json(out);
  const bool batched = description.batch_max != 0;
  json.open('{').key("name").text(model.name).key("platform").text("onnx_onnxv1");
  json.key("backend").text("casemate").key("max_batch_size").number(description.batch_max);
  json.key("input");
  write_config_ports(json, std::span(description.inputs).first(description.input_count), batched,
                     true);
  json.key("output");
  write_config_ports(json, std::span(description.outputs).first(description.output_count), batched,
                     false);
  json.key("default_model_filename").text("model.onnx").close('}');
  return out;
}

std::string index_document(std::span<const IndexEntry> entries) {
  std::string out;
  JsonWriter json(out);
  json.open('[');
  for (const IndexEntry& entry : entries) {
    json.open('{').key("name").text(entry.name).key("version").text(entry.version);
    json.key("state").text(entry.ready ? "READY" : "UNAVAILABLE");
    json.key("reason").text(entry.reason).close('}');
  }
  json.close(']');
  return out;
}

std::string statistics_document(std::span<const StatisticsEntry> entries) {
  std::string out;
  JsonWriter json(out);
  json.open('{').key("model_stats").open('[');
  for (const StatisticsEntry& entry : entries) write_statistics(json, entry);
  json.close(']').close('}');
  return out;
}

std::string error_document(std::string_view text) {
  std::string out;
  JsonWriter(out).open('{').key("error").text(text).close('}');
  return out;
}

Result<bool> read_index_filter(Bytes body) {
  if (body.empty()) return false;
  if (body.size() > kIndexBodyMax)
    return Error{Code::kTooLarge,
                 formatted("an index request has at most {} bytes", kIndexBodyMax)};
  const std::string_view text = text_of(body);
  // A tree is fine here: 4 KiB of text bound it, and no exception leaves this function.
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object())
    return Error{Code::kInvalid, "the body of an index request is empty or a JSON object"};
  const auto ready = json.find("ready");
  if (ready == json.end()) return false;
  if (!ready->is_boolean()) return Error{Code::kInvalid, "ready takes true or false"};
  return ready->get<bool>();
}

}  // namespace casemate::gateway
