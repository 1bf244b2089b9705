// SPDX-License-Identifier: Apache-2.0
#pragma once
// The messages of the gRPC services other than inference (inference.proto, health.proto): what
// documents.h says as JSON.
//
//   Owns     nothing but the strings that are returned.
//   Threads  pure functions.
//   Trust    what is read is a client's; descriptions were sound().
//   Fails    readers with kInvalid for what is no protobuf message.

#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "isolated/gateway/protocol/documents.h"
#include "wire/abi/model.h"

namespace casemate::gateway {

enum class GrpcMethod : uint8_t {
  kServerLive,
  kServerReady,
  kModelReady,
  kServerMetadata,
  kModelMetadata,
  kModelInfer,
  kModelConfig,
  kModelStatistics,
  kRepositoryIndex,
  kHealthCheck,
  // Methods that stock clients know and that are not offered.
  kStream,
  kLoad,
  kSharedMemory,
  kTrace,
  kLogging,
  kHealthWatch,
  kUnknown,
};

// Whether a target is one of the gRPC services', and which method of theirs it is.
bool of_grpc(std::string_view target);
GrpcMethod grpc_method(std::string_view target);

// What stands before a message of that many bytes.
std::string message_head(uint64_t size);

// Requests that ask about one model: ModelReady, ModelMetadata, ModelConfig, ModelStatistics.
struct AskedModel {
  std::string_view name;  // a view into the message, as is the version
  std::string_view version;
};
Result<AskedModel> read_asked_model(Bytes message);
// RepositoryIndexRequest: whether only ready models are asked for.
Result<bool> read_index_request(Bytes message);
// HealthCheckRequest: the service.
Result<std::string_view> read_health_request(Bytes message);

// ServerLive, ServerReady and ModelReady.
std::string yes_or_no(bool yes);
std::string server_message(std::string_view server_version);
std::string metadata_message(const ModelLabel& model, std::span<const std::string> versions,
                             const ModelDescription& description);
std::string config_message(const ModelLabel& model, const ModelDescription& description);
std::string index_message(std::span<const IndexEntry> entries);
std::string statistics_message(std::span<const StatisticsEntry> entries);
std::string health_message(bool serving);

}  // namespace casemate::gateway
