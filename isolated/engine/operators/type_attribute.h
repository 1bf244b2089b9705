// SPDX-License-Identifier: Apache-2.0
#pragma once
// Attributes that name an element type: `to`, `dtype`, `output_dtype`.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    the attribute may hold any number or text.
//   Fails    with kUnsupported for what names no element type that this build can hold.

#include "isolated/engine/operators/computation.h"

namespace casemate::engine {

// The element type that the attribute names by its number in ONNX's TensorProto.DataType, or as
// Cast did before operator set 6 by its name there; `otherwise` when it is missing or 0.
Result<ElementType> type_attribute(const Computation& c, std::string_view name,
                                   ElementType otherwise);

}  // namespace casemate::engine
