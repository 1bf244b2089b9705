// SPDX-License-Identifier: Apache-2.0
#pragma once
// Admission: what of a file is let through to libonnx's checker and shape inference. An allow-list:
// versions, domains, operators and attribute values that we know to be handled there and here.
//
//   Owns     nothing.
//   Threads  a pure function, but for the files it reads.
//   Trust    none in the file.
//   Fails    with the node and the reason.

#include "isolated/engine/onnx/tensors.h"

namespace casemate::engine {

// The oldest operator set whose operators mean what ours do: before 7, broadcasting was an
// attribute.
inline constexpr int64_t kOpsetMin = 7;

// Checks the whole model and loads its external data. Returns the version of the operator set.
Result<int> admit(onnx::ModelProto& model, const ExternalData& external, Budget& budget);

}  // namespace casemate::engine
