// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: a network of reals, with products and a convolution, and one node between them that
// OpenCL devices do not take.

#include "isolated/engine/onnx/model_builder.h"

namespace casemate::tests {

// [N,4,10,10] to [N,6]. With as many groups as channels its convolution is one of OpenCL's own
// kernels, with one group it is a product.
inline engine::ModelBuilder float_network(int64_t groups) {
  engine::ModelBuilder b;
  b.input("x", {-1, 4, 10, 10});
  b.output("y", {-1, 6});
  b.noise("w1", {8, 4 / groups, 3, 3}, 0.5F);
  b.noise("b1", {8});
  engine::set_int(b.node("Conv", {"x", "w1", "b1"}, "c"), "group", groups);
  b.node("Relu", {"c"}, "r");
  b.integers("axis", {}, {3});
  b.node("CumSum", {"r", "axis"}, "sums");
  b.node("GlobalAveragePool", {"sums"}, "mean");
  engine::set_int(b.node("Flatten", {"mean"}, "flat"), "axis", 1);
  b.noise("w2", {8, 6}, 0.5F);
  b.node("MatMul", {"flat", "w2"}, "products");
  b.node("Tanh", {"products"}, "y");
  return b;
}

}  // namespace casemate::tests
