// SPDX-License-Identifier: Apache-2.0
#pragma once
// Inference of types and shapes, node by node and once per batch size: libonnx's function for the
// operator, then our own look at what it says, then, for the small integer tensors that exporters
// compute shapes with, the values themselves.
//
// libonnx's own walk over the graph is not used: its propagation of values reads beyond its lists
// on hostile models (found by fuzzing), and it would go on after the first error.
//
//   Owns     what it returns.
//   Threads  one.
//   Trust    the model was admitted (admit.h); what libonnx infers is checked before the next node.
//   Fails    kInvalid or kUnsupported with the node and the reason.

#include <unordered_map>

#include "isolated/engine/graph/graph.h"
#include "isolated/engine/onnx/proto.h"

namespace casemate::engine {

struct Inferred {
  bool batched = false;
  std::vector<int64_t> batch_sizes = {};              // those for which the model makes sense
  std::unordered_map<std::string, Made> values = {};  // inputs and what nodes make, with shapes
  std::unordered_map<std::string, Tensor> constants =
      {};  // made by nodes, but the same whatever comes in
};

// Requires: admitted. Changes the types of inputs and outputs in the model.
Result<Inferred> infer_shapes(onnx::ModelProto& model, int opset,
                              const std::vector<int64_t>& batch_sizes, uint64_t value_bytes_max);

}  // namespace casemate::engine
