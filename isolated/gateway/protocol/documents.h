// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON documents of the protocol other than inference: metadata, configuration, repository
// index, statistics, errors.
//
//   Owns     nothing but the strings that are returned.
//   Threads  pure functions.
//   Trust    descriptions were sound(); texts may hold anything.
//   Fails    only read_index_filter(), with kInvalid.

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "isolated/gateway/protocol/inference_response.h"
#include "wire/abi/model.h"

namespace casemate::gateway {

// Times and counts of one model since it was added, in Triton's terms.
struct Statistics {
  struct Timed {
    uint64_t count = 0;
    uint64_t ns = 0;
    void add(uint64_t nanoseconds) {
      ++count;
      ns += nanoseconds;
    }
  };
  // Of the executions with one batch size.
  struct Batch {
    Timed compute_input, compute_infer, compute_output;
  };
  // Clients choose batch sizes; this many are told apart, first come, first served.
  static constexpr size_t kBatchSizes = 64;

  // nullptr for a size that comes too late to be told apart.
  Batch* batch(uint64_t size) {
    if (batches.size() >= kBatchSizes && !batches.contains(size)) return nullptr;
    return &batches[size];
  }

  uint64_t last_inference_ms = 0;  // since 1970
  uint64_t inference_count = 0;    // a batch of n counts n
  uint64_t execution_count = 0;
  Timed success, fail, queue, compute_input, compute_infer, compute_output;
  std::map<uint64_t, Batch> batches;
  // Failures by Triton's reasons: REJECTED (queue full or timed out in it), CANCELED (by the
  // client), BACKEND (in the model), OTHER.
  uint64_t rejected = 0, cancelled = 0, backend_failed = 0, other_failed = 0;
  // What Casemate adds: channels that failed, and requests that were sent again because of it.
  uint64_t restarts = 0, replays = 0;
};

struct IndexEntry {
  std::string_view name;
  std::string_view version;
  bool ready = false;
  std::string_view reason;  // of not being ready
};

struct StatisticsEntry {
  ModelLabel model;
  const Statistics* statistics;
};

// What the server's metadata names.
inline constexpr std::array<std::string_view, 7> kExtensions = {
    "classification", "model_repository", "model_configuration", "binary_tensor_data",
    "parameters",     "statistics",       "casemate_evidence"};

std::string server_document(std::string_view server_version);
std::string metadata_document(const ModelLabel& model, std::span<const std::string> versions,
                              const ModelDescription& description);
// Triton's model configuration, as far as it applies.
std::string config_document(const ModelLabel& model, const ModelDescription& description);
std::string index_document(std::span<const IndexEntry> entries);
std::string statistics_document(std::span<const StatisticsEntry> entries);
// {"error": text}
std::string error_document(std::string_view text);

// Body of a repository index request: empty, or an object whose `ready` says whether only ready
// models are asked for.
Result<bool> read_index_filter(Bytes body);

}  // namespace casemate::gateway
