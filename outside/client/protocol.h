// SPDX-License-Identifier: Apache-2.0
#pragma once
// The Open Inference Protocol v2 as a client speaks it: tensors travel by the binary tensor
// extension, everything else as JSON.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    answers may be hostile: counts, ranks, sizes and names are checked before use.
//   Fails    kPartitionFailed for an answer that breaks the protocol, with the place.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "outside/client/tensor.h"
#include "wire/abi/tensor.h"

namespace casemate::client {

// One input or output of a model; extent -1 varies.
struct Port {
  std::string name;
  ElementType type = ElementType::kNone;
  Shape shape;
};

struct ModelMetadata {
  std::string name;
  std::vector<std::string> versions;
  std::string platform;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::map<std::string, std::string, std::less<>> properties;  // the model's own metadata
};

struct ModelEntry {
  std::string name;
  std::string version;
  std::string state;   // "READY", "UNAVAILABLE"
  std::string reason;  // of not being ready
};

// The JSON part of an inference request; the tensors' bytes follow it in the same order.
std::string inference_json(std::span<const Tensor> inputs);
// `json_size` as the answer's header says; none: the body is JSON alone.
Result<std::vector<Tensor>> read_inference(std::optional<uint64_t> json_size, Bytes body);

Result<ModelMetadata> read_metadata(Bytes body);
Result<std::vector<ModelEntry>> read_index(Bytes body);

// The error that an answer with this status stands for: its code, and the server's own sentence.
Error read_error(unsigned status, Bytes body);

}  // namespace casemate::client
