// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ports: a model's inputs and outputs as the file declares them, and how they vary with the batch.
//
//   Owns     copies of the declarations.
//   Threads  one.
//   Trust    admitted types.
//   Fails    kUnsupported for inputs that vary in more than one batch.

#include "isolated/engine/graph/graph.h"
#include "isolated/engine/onnx/proto.h"

namespace casemate::engine {

struct Ports {
  std::vector<onnx::ValueInfoProto> inputs;  // those that are no initializers
  std::vector<onnx::ValueInfoProto> outputs;
};

// Takes the declarations from the graph. Initializers that older files list as inputs too could be
// replaced by a caller; here they are constants, so they leave the graph's inputs. What the file
// says about inner values goes as well: it is inferred.
Ports take_ports(onnx::GraphProto& graph);

// Whether the inputs vary in extent 0, all by the same name, and in nothing else.
Result<bool> batched(const Ports& ports);

// The input's type with its batch fixed.
onnx::TypeProto type_of(const onnx::ValueInfoProto& input, int64_t batch);

// Whether an output that was found to have this shape fits its declaration.
Status agrees(const onnx::ValueInfoProto& output, const Shape& shape);

}  // namespace casemate::engine
