// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tensor: a named tensor that owns its bytes, row-major and little-endian, as it goes to a model or
// comes from one.
//
//   Owns     its bytes.
//   Threads  a value type.
//   Trust    one that came from a server has been held against its shape by read_inference().
//   Fails    check_tensor() with kInvalid or kTooLarge and the tensor's name.

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/abi/tensor.h"

namespace casemate::client {

struct Tensor {
  std::string name;
  ElementType type = ElementType::kNone;
  Shape shape;
  std::vector<uint8_t> data;
};

// Succeeds when the bytes are exactly what type and shape need. The elements of a BYTES tensor are
// each a 4-byte length and that many bytes.
Status check_tensor(std::string_view name, ElementType type, const Shape& shape, Bytes data);

}  // namespace casemate::client
