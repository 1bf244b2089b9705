// SPDX-License-Identifier: Apache-2.0
#pragma once
// InferenceRequest: a client's request after every word of it was held against the model that it
// asks.
//
//   body = JSON | tensor | tensor ...      Inference-Header-Content-Length = bytes of JSON
//   body = tensor                          ... = 0: the raw bytes of a one-input model
//   body = JSON                            ... absent: tensors inside the JSON
//
//   Owns     tensors that came as JSON; tensors that came as binary are views into the body.
//   Threads  as a value.
//   Trust    the body and the header are a client's; the description was sound().
//   Fails    kInvalid or kTooLarge with a sentence that names the field and what was
//            expected. All of it is the client's own words and the model's public description.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/abi/model.h"

namespace casemate::gateway {

struct OutputChoice {
  uint32_t port = 0;  // index into ModelDescription::outputs
  bool binary = false;
  // Not 0: the highest so many values with their indices, as strings (Triton's classification).
  uint32_t classes = 0;
};

struct InferenceRequest {
  std::string id;
  std::optional<std::chrono::microseconds> timeout;
  // Items in the batch; 1 for a model that does not batch.
  uint64_t batch = 1;
  std::vector<TensorView> inputs;  // in the description's order
  std::vector<OutputChoice> outputs;
  std::vector<std::vector<uint8_t>> decoded;  // what inputs from JSON point to
  // Some input is a view into the body, which must outlive this.
  bool uses_body = false;

  [[nodiscard]] uint64_t decoded_bytes() const;
};

// `header_length` is the value of Inference-Header-Content-Length, if the request has that header.
// `json_bytes_max` bounds the JSON part. Requires: description.sound(); `body` outlives the result.
Result<InferenceRequest> parse_inference_request(const ModelDescription& description, Bytes body,
                                                 std::optional<std::string_view> header_length,
                                                 size_t json_bytes_max);

// The same for a request that was read from elsewhere; see isolated/gateway/grpc. Requires: every
// input has a type and a shape; what their `raw` views outlives the result.
struct RequestJson;
Result<InferenceRequest> match_request(const ModelDescription& description, RequestJson request);

}  // namespace casemate::gateway
