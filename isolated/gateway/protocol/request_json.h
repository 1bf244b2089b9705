// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON part of an inference request (Open Inference Protocol v2 with Triton's binary tensor,
// classification and shared-memory parameters), read but not yet held against any model.
//
//   Owns     everything that it returns.
//   Threads  pure function.
//   Trust    the text is a client's: depth, keys, names, ranks and numbers are bounded; duplicate
//            keys, trailing text, text that is not UTF-8 and numbers beyond double are refused;
//            unknown keys are skipped, as Triton does.
//   Fails    kInvalid or kTooLarge with a sentence that names the field.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/abi/tensor.h"

namespace casemate::gateway {

// Levels of brackets: request, inputs, one input, data and limits::kRank levels of nested data make
// 12.
inline constexpr uint32_t kJsonDepth = 16;
// Keys of one object, and of a request: 32 inputs and 32 outputs with 16 keys each.
inline constexpr uint32_t kJsonKeysPerObject = 64;
inline constexpr uint32_t kJsonKeys = 1024;
// Characters of an id, which is echoed, and of a name.
inline constexpr size_t kJsonNameBytes = 1024;

struct JsonInput {
  std::string name;
  std::optional<ElementType> type;
  std::optional<Shape> shape;
  std::optional<uint64_t> binary_size;
  // Of a request that came as protobuf: its bytes, where they lie.
  std::optional<Bytes> raw;
  // From `data`, in the tensor's binary form.
  bool decoded = false;
  std::vector<uint8_t> data;
  uint64_t element_count = 0;
};

struct JsonOutput {
  std::string name;
  std::optional<bool> binary;
  uint32_t classes = 0;
};

struct RequestJson {
  std::string id;
  std::optional<uint64_t> timeout_us;
  std::optional<bool> binary_output;
  std::vector<JsonInput> inputs;
  std::vector<JsonOutput> outputs;
};

Result<RequestJson> read_request_json(std::string_view json);

}  // namespace casemate::gateway
