// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names: every value has one maker, every reader comes after it, every output is made.
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    none in the graph.
//   Fails    kInvalid with the node and the name.

#include "isolated/engine/onnx/proto.h"

namespace casemate::engine {

Status check_names(const onnx::GraphProto& graph);

}  // namespace casemate::engine
