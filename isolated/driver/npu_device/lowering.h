// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a node of a graph is on the accelerator: a layer of bytes by constant bytes, exact in 32
// bits. MatMulInteger by a matrix is one of single pixels; ConvInteger is one over one or two axes.
// QLinearMatMul and QLinearConv are the same, and their sums become bytes again in the driver.
//
//   Owns     values; the weights stay in the graph.
//   Threads  pure functions.
//   Trust    the graph was shaped by the engine; sizes are the model's, see npu/convolution.h.
//   Fails    with kUnsupported, the node and why the accelerator has nothing for it.

#include <optional>

#include "isolated/driver/npu/layer.h"
#include "isolated/engine/graph/graph.h"

namespace casemate::driver {

// What makes bytes of sums: round(sum * scale) + zero, held in the type.
struct Requantisation {
  ElementType type = ElementType::kInt8;
  int32_t zero = 0;
  // One, or one for each output. QLinearConv computes in 32 bits, QLinearMatMul in 64.
  std::vector<double> scales;
  bool wide = false;
};

struct IntegerLayer {
  npu::LayerShape shape;  // `planes`: at most so many
  engine::ValueId input;
  const engine::Tensor* weights = nullptr;
  std::vector<int32_t> bias;                  // none, or one for each output
  std::optional<Requantisation> requantised;  // none: sums are the result
  int64_t cycles = 0;                         // about so many
};

// Requires: a result of a byte for each sum, in the shape's order.
void requantise(const npu::LayerShape& shape, const Requantisation& how,
                std::span<const int32_t> sums, MutableBytes result);

// Requires: one variant.
Result<IntegerLayer> layer_of(const engine::Graph& graph, const engine::Node& node);

}  // namespace casemate::driver
