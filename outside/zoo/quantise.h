// SPDX-License-Identifier: Apache-2.0
#pragma once
// Quantised forms of the architectures, as ONNX Runtime's tool writes them.
//
// qdq: every value that a layer makes is told in unsigned bytes, with QuantizeLinear and
// DequantizeLinear around it; weights are signed bytes with a scale for each output, biases 32-bit
// integers. Normalisation is in the weights of the convolution before it, as it always is where a
// model is quantised. Scales come from what values are expected to look like (moments.h).
//
// dynamic: products by weights quantise their left side by what it holds when they run
// (DynamicQuantizeLinear, MatMulInteger), and are real again behind.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    none needed.
//   Fails    qdq of an architecture whose values nobody knows anything of, and dynamic of one
//            without products, make nothing.

#include <optional>

#include "outside/zoo/form.h"
#include "outside/zoo/graph.h"

namespace casemate::zoo {

// The graph in that form; none where it has no such form.
std::optional<Graph> quantised(Graph graph, Form form);

}  // namespace casemate::zoo
