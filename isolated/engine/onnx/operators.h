// SPDX-License-Identifier: Apache-2.0
#pragma once
// Operators: which of ONNX's operators are read, and how each is rewritten into ours. An operator
// that means the same in every set since kOpsetMin needs a line in operators.cc and nothing else.

#include "isolated/engine/onnx/lower.h"

namespace casemate::engine {

// Adds to the graph what the node means.
using Lower = Status (*)(Lowering& lowering, const onnx::NodeProto& node);

// How the operator is rewritten; none for an operator that is not supported.
Lower find_operator(const std::string& op);

// As it stands: same name, inputs, attributes, one output.
Status lower_plain(Lowering& lowering, const onnx::NodeProto& node);

// lower_window.cc: operators that slide a kernel over an image.
Status lower_convolution(Lowering& lowering, const onnx::NodeProto& node);
Status lower_pooling(Lowering& lowering, const onnx::NodeProto& node);

// lower_shape.cc: operators that only move elements or give them another shape.
Status lower_reshape(Lowering& lowering, const onnx::NodeProto& node);
Status lower_identity(Lowering& lowering, const onnx::NodeProto& node);
Status lower_transpose(Lowering& lowering, const onnx::NodeProto& node);
Status lower_slice(Lowering& lowering, const onnx::NodeProto& node);
Status lower_pad(Lowering& lowering, const onnx::NodeProto& node);
Status lower_expand(Lowering& lowering, const onnx::NodeProto& node);
Status lower_constant(Lowering& lowering, const onnx::NodeProto& node);
Status lower_shape_of(Lowering& lowering, const onnx::NodeProto& node);

// lower_math.cc: operators that compute.
Status lower_gemm(Lowering& lowering, const onnx::NodeProto& node);
Status lower_batch_normalization(Lowering& lowering, const onnx::NodeProto& node);
Status lower_softmax(Lowering& lowering, const onnx::NodeProto& node);
Status lower_pow(Lowering& lowering, const onnx::NodeProto& node);
Status lower_clip(Lowering& lowering, const onnx::NodeProto& node);
Status lower_variadic(Lowering& lowering, const onnx::NodeProto& node);
Status lower_reduction(Lowering& lowering, const onnx::NodeProto& node);

}  // namespace casemate::engine
