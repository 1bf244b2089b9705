// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/operators.h"

#include <map>
#include <string_view>

namespace casemate::engine {

Lower find_operator(const std::string& op) {
  static const std::map<std::string_view, Lower> kOperators = {
      {"Abs", lower_plain},
      {"Add", lower_plain},
      {"AveragePool", lower_pooling},
      {"BatchNormalization", lower_batch_normalization},
      {"Cast", lower_plain},
      {"Clip", lower_clip},
      {"Concat", lower_plain},
      {"Constant", lower_constant},
      {"Conv", lower_convolution},
      {"Div", lower_plain},
      {"Dropout", lower_identity},
      {"Elu", lower_plain},
      {"Exp", lower_plain},
      {"Expand", lower_expand},
      {"Flatten", lower_reshape},
      {"Gather", lower_plain},
      {"Gemm", lower_gemm},
      {"GlobalAveragePool", lower_plain},
      {"GlobalMaxPool", lower_plain},
      {"HardSigmoid", lower_plain},
      {"HardSwish", lower_plain},
      {"Identity", lower_identity},
      {"LeakyRelu", lower_plain},
      {"Log", lower_plain},
      {"LogSoftmax", lower_softmax},
      {"MatMul", lower_plain},
      {"Max", lower_variadic},
      {"MaxPool", lower_pooling},
      {"Mean", lower_variadic},
      {"Min", lower_variadic},
      {"Mish", lower_plain},
      {"Mul", lower_plain},
      {"Neg", lower_plain},
      {"PRelu", lower_plain},
      {"Pad", lower_pad},
      {"Pow", lower_pow},
      {"Reciprocal", lower_plain},
      {"ReduceMax", lower_reduction},
      {"ReduceMean", lower_reduction},
      {"ReduceMin", lower_reduction},
      {"ReduceSum", lower_reduction},
      {"Relu", lower_plain},
      {"Reshape", lower_reshape},
      {"Shape", lower_shape_of},
      {"Sigmoid", lower_plain},
      {"Slice", lower_slice},
      {"Softmax", lower_softmax},
      {"Softplus", lower_plain},
      {"Sqrt", lower_plain},
      {"Squeeze", lower_reshape},
      {"Sub", lower_plain},
      {"Sum", lower_variadic},
      {"Tanh", lower_plain},
      {"Transpose", lower_transpose},
      {"Unsqueeze", lower_reshape},
  };
  const auto found = kOperators.find(op);
  return found == kOperators.end() ? nullptr : found->second;
}

}  // namespace casemate::engine
