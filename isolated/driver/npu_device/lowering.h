// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a node of a graph is on the accelerator: a layer of bytes by constant bytes, exact in 32
// bits. MatMulInteger by a matrix is one of single pixels; ConvInteger is one over one or two axes.
//
//   Owns     values; the weights stay in the graph.
//   Threads  pure functions.
//   Trust    the graph was shaped by the engine; sizes are the model's, see npu/convolution.h.
//   Fails    with kUnsupported, the node and why the accelerator has nothing for it.

#include "isolated/driver/npu/layer.h"
#include "isolated/engine/graph/graph.h"

namespace casemate::driver {

struct IntegerLayer {
  npu::LayerShape shape;  // `planes`: at most so many
  engine::ValueId input;
  const engine::Tensor* weights = nullptr;
  int64_t cycles = 0;  // about so many
};

// Requires: one variant.
Result<IntegerLayer> layer_of(const engine::Graph& graph, const engine::Node& node);

}  // namespace casemate::driver
