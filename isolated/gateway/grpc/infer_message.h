// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModelInferRequest and ModelInferResponse of the Open Inference Protocol v2 (inference.proto),
// read and written by hand: a tensor's bytes stay where they arrived, and leave from where they
// lie.
//
//   body = message head (5 bytes) | ModelInferRequest
//
//   Owns     names and tensors that came as typed contents; raw ones are views into the message.
//   Threads  pure functions; reuse one GrpcAnswer to reuse its memory.
//   Trust    the message is a client's: counts, names, ranks and what typed contents become are
//            bounded; fields that mean nothing are skipped. Outputs come from a model's enclave:
//            see inference_response.h.
//   Fails    kInvalid or kTooLarge with a sentence that names the field.

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "isolated/gateway/protocol/inference_response.h"
#include "isolated/gateway/protocol/request_json.h"

namespace casemate::gateway {

struct GrpcInferRequest {
  std::string_view model;    // views into the message, not yet checked
  std::string_view version;  // empty: none was named
  RequestJson request;
};

// The one message of a call that is not a stream (gRPC over HTTP/2, "Length-Prefixed-Message").
// Fails with kUnsupported for a compressed one.
Result<Bytes> single_message(Bytes body);

// How much of a request takes time to read: all but its raw contents. Looks no further than
// `enough`.
size_t typed_bytes(Bytes message, size_t enough);

// `typed_bytes_max` bounds what is not raw contents; those have no bound of their own. Requires:
// `message` outlives the result.
Result<GrpcInferRequest> read_infer_request(Bytes message, size_t typed_bytes_max);

struct GrpcAnswer {
  std::vector<Bytes> pieces;  // the body: views of the outputs, and of what is below
  std::string head;
  std::vector<std::string> between;
  std::vector<std::vector<uint8_t>> made;
};

// Requires: check_outputs() passed; `outputs` outlive the answer.
Status write_infer_response(const ModelLabel& model, const ModelDescription& description,
                            const InferenceRequest& request, std::span<const TensorView> outputs,
                            GrpcAnswer& answer);

}  // namespace casemate::gateway
