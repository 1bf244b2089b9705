// SPDX-License-Identifier: Apache-2.0
#pragma once
// InferenceResponse: a model's outputs as the client asked for them, JSON first, binary tensors
// behind it.
//
//   Owns     the JSON text and tensors that were made here (classification).
//   Threads  pure functions; reuse one ResponseWriter to reuse its memory.
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

// About how much text the outputs become that are not asked for in binary; what choosing classes
// costs counts as if it were text.
uint64_t expected_text(const InferenceRequest& request, std::span<const TensorView> outputs);

// Writes one response, all at once or some of its text at a time.
class ResponseWriter final {
 public:
  // Requires: check_outputs() passed.
  struct Source {
    ModelLabel model;
    const ModelDescription& description;
    const InferenceRequest& request;
    std::span<const TensorView> outputs;
  };

  // Forgets what was written, not the memory that it took.
  void clear();
  // Goes on until `text_bytes` more are written, or some KiB beyond; true when all is. Requires:
  // the source is the same since the last clear(), and outlives what is made of it.
  Result<bool> write(const Source& source, size_t json_bytes_max, size_t text_bytes);
  [[nodiscard]] const InferenceResponse& response() const { return response_; }

 private:
  void begin(const Source& source);
  Status open(const Source& source, const OutputChoice& choice, size_t json_bytes_max);
  Status open_data(const TensorView& tensor, size_t json_bytes_max);
  Status append(size_t json_bytes_max, size_t stop);
  Status append_strings(size_t stop);
  template <class T>
  Status append_values(size_t stop);
  void append_truths(size_t stop);
  [[nodiscard]] bool written() const { return left_.empty() && !in_string_; }

  InferenceResponse response_;
  bool begun_ = false;
  size_t choice_ = 0;    // of the request's: which output is next
  bool opened_ = false;  // it has begun
  // Of an output that becomes text: its elements, and those that are not written yet.
  ElementType type_ = ElementType::kNone;
  Bytes elements_;
  Bytes left_;
  std::vector<uint8_t> strings_;  // a private copy, if those are strings
  std::string_view string_;       // what is left of the one that has begun
  bool in_string_ = false;
};

}  // namespace casemate::gateway
