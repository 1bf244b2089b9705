// SPDX-License-Identifier: Apache-2.0
#pragma once
// InferenceResponse: a model's outputs as the client asked for them, JSON first, binary tensors
// behind it.
//
//   Owns     the JSON text and tensors that were made here (classification).
//   Threads  pure functions; reuse one InferenceResponse to reuse its memory.
//   Trust    outputs come from a model's enclave, which may lie: check_outputs() holds them against
//            the description. Their bytes may change while they are read; only the client who asked
//            sees them.
//   Fails    kPartitionFailed for outputs that the description does not allow, kInvalid for a
//            number that JSON cannot express, kTooLarge for too much JSON.

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "isolated/gateway/protocol/inference_request.h"
#include "wire/abi/model.h"

namespace casemate::gateway {

struct InferenceResponse {
  std::string json;
  // What follows the JSON, in order: views of the outputs, or of `made`.
  std::vector<Bytes> tensors;
  std::vector<std::vector<uint8_t>> made;
  // Some output is binary: the answer carries Inference-Header-Content-Length.
  bool binary = false;
};

// Succeeds when there is one output for every one described, of its type, of a shape that it
// admits, and with as many bytes as that takes.
Status check_outputs(const ModelDescription& description, std::span<const TensorView> outputs);

struct ModelLabel {
  std::string_view name;
  std::string_view version;
};

// Replaces what `response` holds. Requires: check_outputs() passed; `outputs` outlive the response.
Status write_inference_response(const ModelLabel& model, const ModelDescription& description,
                                const InferenceRequest& request,
                                std::span<const TensorView> outputs, size_t json_bytes_max,
                                InferenceResponse& response);

}  // namespace casemate::gateway
