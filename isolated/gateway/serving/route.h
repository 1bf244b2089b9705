// SPDX-License-Identifier: Apache-2.0
#pragma once
// Route: what a request target asks for.
//
//   Owns     the decoded texts.
//   Threads  pure function.
//   Trust    the target is a client's. It is split first and percent-decoded once, segment by
//            segment, so no encoding of '/' or '..' changes which route it is.
//   Fails    with 404 for an unknown path, 405 for a known one with another method, 400 for a
//            broken encoding.

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "isolated/gateway/http/message.h"

namespace casemate::gateway {

enum class Endpoint : uint8_t {
  kServerMetadata,
  kLive,
  kReady,
  kModelMetadata,
  kModelReady,
  kModelConfig,
  kModelInfer,
  kModelStatistics,
  kStatistics,
  kIndex,
  kLoad,
  kUnload,
  kMetrics,
  kEvidence,
  // Extensions that stock clients know and that are not offered.
  kSharedMemory,
  kTrace,
  kLogging,
};

struct Route {
  Endpoint endpoint = Endpoint::kServerMetadata;
  std::string model;    // decoded, not yet checked
  std::string version;  // empty: none was named
  std::string query;    // behind '?', not decoded
};

std::expected<Route, Refusal> route(Method method, std::string_view target);

// The decoded value of `key` in a query, if it is there. Fails with kInvalid on a broken encoding.
Result<std::optional<std::string>> query_value(std::string_view query, std::string_view key);

}  // namespace casemate::gateway
