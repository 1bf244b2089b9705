// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cutting an ONNX file into what sealed models have as parts: its graph, and the elements of its
// large initialisers, where they stand in the file.
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    the owner's own file; protobuf's reader bounds every length all the same.
//   Fails    kInvalid for what is no ONNX file, kUnsupported for one whose weights lie in other
//            files, kTooLarge beyond protobuf's 2 GiB.

#include <vector>

#include "wire/sealed/sealed.h"

namespace casemate::seal {

// Below this a tensor stays in the graph: a key and a tag of its own are worth less than they cost.
inline constexpr uint64_t kTensorMin = 1024;

// The graph first; see wire/sealed.
Result<std::vector<sealed::Part>> cut(Bytes onnx);

}  // namespace casemate::seal
