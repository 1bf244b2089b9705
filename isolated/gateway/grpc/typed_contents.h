// SPDX-License-Identifier: Apache-2.0
#pragma once
// InferTensorContents: a tensor as lists of numbers, in the binary form that a model takes.
//
//   Owns     the bytes that it returns.
//   Threads  pure function.
//   Trust    the messages are a client's; each number is held against the element type.
//   Fails    kInvalid with a sentence, without the tensor's name.

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/abi/tensor.h"

namespace casemate::gateway {

struct TypedContents {
  std::vector<uint8_t> bytes;  // strings in their wire form: a 4-byte length, then the text
  uint64_t count = 0;
};

// One message's pieces count as one message (protobuf.dev, "Last One Wins").
Result<TypedContents> read_typed_contents(ElementType type, std::span<const Bytes> messages);

}  // namespace casemate::gateway
