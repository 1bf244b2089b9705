// SPDX-License-Identifier: Apache-2.0
#pragma once
// The header of a .npy file: a Python dictionary literal with three known keys.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the text may be hostile; nothing nests, so nothing recurses.
//   Fails    kInvalid, kUnsupported, kTooLarge with what was wrong.

#include <string_view>

#include "base/result.h"
#include "wire/abi/tensor.h"

namespace casemate::client {

struct NpyHeader {
  ElementType type = ElementType::kNone;
  bool fortran_order = false;
  Shape shape;
};

// `text` is everything between the length and the elements, padding included.
Result<NpyHeader> parse_npy_header(std::string_view text);

// The literal for a row-major tensor, without padding. Fails with kUnsupported for types that NumPy
// does not have.
Result<std::string> npy_header_text(ElementType type, const Shape& shape);

}  // namespace casemate::client
