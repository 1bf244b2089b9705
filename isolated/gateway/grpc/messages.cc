// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/grpc/messages.h"

#include <array>

#include "isolated/gateway/grpc/fields.h"

namespace casemate::gateway {
namespace {

using Wire = FieldReader::Wire;

constexpr std::string_view kService = "/inference.GRPCInferenceService/";
constexpr std::string_view kHealth = "/grpc.health.v1.Health/";

struct Named {
  std::string_view name;
  GrpcMethod method;
};

using enum GrpcMethod;
constexpr std::array kMethods = std::to_array<Named>({
    {"ServerLive", kServerLive},
    {"ServerReady", kServerReady},
    {"ModelReady", kModelReady},
    {"ServerMetadata", kServerMetadata},
    {"ModelMetadata", kModelMetadata},
    {"ModelInfer", kModelInfer},
    {"ModelConfig", kModelConfig},
    {"ModelStatistics", kModelStatistics},
    {"RepositoryIndex", kRepositoryIndex},
    {"ModelStreamInfer", kStream},
    {"RepositoryModelLoad", kLoad},
    {"RepositoryModelUnload", kLoad},
    {"TraceSetting", kTrace},
    {"LogSettings", kLogging},
});

// TYPE_* of model_config.proto.
uint32_t config_type(ElementType type) {
  switch (type) {
    case ElementType::kBool:
      return 1;
    case ElementType::kUint8:
      return 2;
    case ElementType::kUint16:
      return 3;
    case ElementType::kUint32:
      return 4;
    case ElementType::kUint64:
      return 5;
    case ElementType::kInt8:
      return 6;
    case ElementType::kInt16:
      return 7;
    case ElementType::kInt32:
      return 8;
    case ElementType::kInt64:
      return 9;
    case ElementType::kFloat16:
      return 10;
    case ElementType::kFloat32:
      return 11;
    case ElementType::kFloat64:
      return 12;
    case ElementType::kString:
      return 13;
    case ElementType::kBfloat16:
      return 14;
    default:
      return 0;
  }
}

void write_ports(FieldWriter& out, uint32_t field, std::span<const PortDescription> ports) {
  for (const PortDescription& port : ports) {
    std::string message;
    FieldWriter(message)
        .text(1, port.name.view())
        .text(2, name_of(port.element_type()))
        .packed(3, port.shape().dims());
    out.element(field, message);
  }
}

// In a configuration, dims leave out the batch.
void write_config_ports(FieldWriter& out, uint32_t field, uint32_t dims_field, bool batched,
                        std::span<const PortDescription> ports) {
  for (const PortDescription& port : ports) {
    const Shape shape = port.shape();
    std::string message;
    FieldWriter(message)
        .text(1, port.name.view())
        .number(2, config_type(port.element_type()))
        .packed(dims_field, shape.dims().subspan(batched && shape.rank() > 0 ? 1 : 0));
    out.element(field, message);
  }
}

void write_timed(FieldWriter& out, uint32_t field, const Statistics::Timed& timed) {
  std::string message;
  FieldWriter(message).number(1, timed.count).number(2, timed.ns);
  out.element(field, message);
}

std::string statistics_of(const Statistics& s) {
  std::string message;
  FieldWriter out(message);
  write_timed(out, 1, s.success);
  write_timed(out, 2, s.fail);
  write_timed(out, 3, s.queue);
  write_timed(out, 4, s.compute_input);
  write_timed(out, 5, s.compute_infer);
  write_timed(out, 6, s.compute_output);
  write_timed(out, 7, {});
  write_timed(out, 8, {});
  return message;
}

std::string batch_of(uint64_t size, const Statistics::Batch& batch) {
  std::string message;
  FieldWriter out(message);
  out.number(1, size);
  write_timed(out, 2, batch.compute_input);
  write_timed(out, 3, batch.compute_infer);
  write_timed(out, 4, batch.compute_output);
  return message;
}

Error broken() { return {Code::kInvalid, "the request is no protobuf message"}; }

}  // namespace

bool of_grpc(std::string_view target) {
  return target.starts_with(kService) || target.starts_with(kHealth);
}

GrpcMethod grpc_method(std::string_view target) {
  if (target.starts_with(kHealth)) {
    const std::string_view name = target.substr(kHealth.size());
    if (name == "Check") return kHealthCheck;
    return name == "Watch" ? kHealthWatch : kUnknown;
  }
  if (!target.starts_with(kService)) return kUnknown;
  const std::string_view name = target.substr(kService.size());
  for (const Named& named : kMethods)
    if (named.name == name) return named.method;
  return name.contains("SharedMemory") ? kSharedMemory : kUnknown;
}

std::string message_head(uint64_t size) {
  std::string head(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) head += static_cast<char>(size >> shift & 0xff);
  return head;
}

Result<AskedModel> read_asked_model(Bytes message) {
  AskedModel asked;
  FieldReader field(message);
  while (field.next()) {
    if (field.is(1, Wire::kBytes)) asked.name = field.text();
    if (field.is(2, Wire::kBytes)) asked.version = field.text();
  }
  if (field.broken()) return broken();
  return asked;
}

Result<bool> read_index_request(Bytes message) {
  bool ready = false;
  FieldReader field(message);
  while (field.next())
    if (field.is(2, Wire::kVarint)) ready = field.value() != 0;
  if (field.broken()) return broken();
  return ready;
}

Result<std::string_view> read_health_request(Bytes message) {
  std::string_view service;
  FieldReader field(message);
  while (field.next())
    if (field.is(1, Wire::kBytes)) service = field.text();
  if (field.broken()) return broken();
  return service;
}

std::string yes_or_no(bool yes) {
  std::string message;
  FieldWriter(message).number(1, yes ? 1 : 0);
  return message;
}

std::string server_message(std::string_view server_version) {
  std::string message;
  FieldWriter out(message);
  out.text(1, "casemate").text(2, server_version);
  for (const std::string_view extension : kExtensions) out.text(3, extension);
  return message;
}

std::string metadata_message(const ModelLabel& model, std::span<const std::string> versions,
                             const ModelDescription& description) {
  std::string message;
  FieldWriter out(message);
  out.text(1, model.name);
  for (const std::string& version : versions) out.text(2, version);
  out.text(3, "onnx_onnxv1");
  write_ports(out, 4, std::span(description.inputs).first(description.input_count));
  write_ports(out, 5, std::span(description.outputs).first(description.output_count));
  for (const MetadataEntry& entry :
       std::span(description.metadata).first(description.metadata_count)) {
    std::string pair;
    FieldWriter(pair).text(1, entry.key.view()).text(2, entry.value.view());
    out.element(6, pair);
  }
  return message;
}

std::string config_message(const ModelLabel& model, const ModelDescription& description) {
  std::string config;
  FieldWriter out(config);
  const bool batched = description.batch_max != 0;
  out.text(1, model.name).text(2, "onnx_onnxv1").number(4, description.batch_max);
  write_config_ports(out, 5, 4, batched,
                     std::span(description.inputs).first(description.input_count));
  write_config_ports(out, 6, 3, batched,
                     std::span(description.outputs).first(description.output_count));
  out.text(8, "model.onnx").text(17, "casemate");
  std::string message;
  FieldWriter(message).element(1, config);
  return message;
}

std::string index_message(std::span<const IndexEntry> entries) {
  std::string message;
  for (const IndexEntry& entry : entries) {
    std::string model;
    FieldWriter(model)
        .text(1, entry.name)
        .text(2, entry.version)
        .text(3, entry.ready ? "READY" : "UNAVAILABLE")
        .text(4, entry.reason);
    FieldWriter(message).element(1, model);
  }
  return message;
}

std::string statistics_message(std::span<const StatisticsEntry> entries) {
  std::string message;
  for (const StatisticsEntry& entry : entries) {
    const Statistics& s = *entry.statistics;
    std::string model;
    FieldWriter out(model);
    out.text(1, entry.model.name).text(2, entry.model.version);
    out.number(3, s.last_inference_ms).number(4, s.inference_count).number(5, s.execution_count);
    out.element(6, statistics_of(s));
    for (const auto& [size, batch] : s.batches) out.element(7, batch_of(size, batch));
    FieldWriter(message).element(1, model);
  }
  return message;
}

std::string health_message(bool serving) {
  std::string message;
  FieldWriter(message).number(1, serving ? 1 : 2);  // SERVING, NOT_SERVING
  return message;
}

}  // namespace casemate::gateway
