// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/post_ops.h"

#include <algorithm>
#include <array>

namespace casemate::engine {
namespace {

using dnnl::algorithm;
using dnnl::memory;

struct NamedAlgorithm {
  std::string_view op;
  algorithm value;
};

// Those whose alpha and beta mean the same in ONNX and oneDNN.
constexpr std::array kSame = std::to_array<NamedAlgorithm>({
    {"Abs", algorithm::eltwise_abs},
    {"Clip", algorithm::eltwise_clip},
    {"Elu", algorithm::eltwise_elu},
    {"Exp", algorithm::eltwise_exp},
    {"Gelu", algorithm::eltwise_gelu_erf},
    {"GeluTanh", algorithm::eltwise_gelu_tanh},
    {"HardSigmoid", algorithm::eltwise_hardsigmoid},
    {"HardSwish", algorithm::eltwise_hardswish},
    {"LeakyRelu", algorithm::eltwise_relu},
    {"Mish", algorithm::eltwise_mish},
    {"Relu", algorithm::eltwise_relu},
    {"Sigmoid", algorithm::eltwise_logistic},
    {"Sqrt", algorithm::eltwise_sqrt},
    {"Tanh", algorithm::eltwise_tanh},
});

struct Target {
  Layout layout;
  const memory::dims& dims;
};

// How an operand is read beside the result: like it, or broadcast from row-major order.
Result<memory::desc> operand_desc(const KernelRequest& request, size_t operand,
                                  const Target& target, Layout layout) {
  const Shape& shape = request.input_shape(operand);
  const ElementType type = request.input_type(operand);
  if (layout != Layout::kRowMajor) return describe(type, shape, layout);
  if (shape == request.output_shape())
    return memory::desc(target.dims, dnnl_type(type), dense_strides(target.dims));
  if (shape.rank() > target.dims.size()) {
    return Error{Code::kUnsupported, "the value added to its result cannot be broadcast"};
  }
  return describe(type, widened(shape, static_cast<uint32_t>(target.dims.size())),
                  Layout::kRowMajor);
}

// The operand of an "Add": in place where it dies, otherwise read beside the result.
Status append_sum(const KernelRequest& request, const PostOp& post, const Target& target,
                  dnnl::post_ops& operations, std::vector<DnnlArgument>& arguments,
                  KernelNeeds& needs) {
  const auto operand = static_cast<size_t>(post.operand);
  const int id = DNNL_ARG_ATTR_MULTIPLE_POST_OP(operations.len()) | DNNL_ARG_SRC_1;
  const Tensor* constant = request.constant(operand);
  const bool alike = request.input_shape(operand) == request.output_shape() && constant == nullptr;
  if (request.overwrite_operand == operand && alike && !needs.overwrites) {
    needs.overwrites = operand;
    needs.inputs[operand] = target.layout;
    operations.append_sum(1.0F);
    return {};
  }
  const Layout layout = alike ? target.layout : Layout::kRowMajor;
  const memory::desc desc = TRY(operand_desc(request, operand, target, layout));
  operations.append_binary(algorithm::binary_add, desc);
  if (constant != nullptr) {
    arguments.push_back(DnnlArgument::packed(id, TRY(request.packer.pack(*constant)), desc));
  } else {
    needs.inputs[operand] = layout;
    arguments.push_back(DnnlArgument::input(id, operand, desc));
  }
  return {};
}

}  // namespace

Eltwise eltwise_of(const PostOp& activation) {
  if (activation.op == "Neg") return {algorithm::eltwise_linear, -1, 0};
  if (activation.op == "Reciprocal") return {algorithm::eltwise_pow, 1, -1};
  const auto found = std::ranges::find(kSame, activation.op, &NamedAlgorithm::op);
  CHECK(found != kSame.end(), "every activation of graph/activation.cc has an algorithm");
  return {found->value, activation.alpha, activation.beta};
}

Status append_post_ops(const KernelRequest& request, Layout layout, const memory::dims& target,
                       dnnl::primitive_attr& attributes, std::vector<DnnlArgument>& arguments,
                       KernelNeeds& needs) {
  dnnl::post_ops operations = attributes.get_post_ops();
  for (const PostOp& post : request.node.post_ops) {
    if (post.op == "Add") {
      TRY(append_sum(request, post, {layout, target}, operations, arguments, needs));
    } else {
      const Eltwise eltwise = eltwise_of(post);
      operations.append_eltwise(eltwise.algorithm, eltwise.alpha, eltwise.beta);
    }
  }
  attributes.set_post_ops(operations);
  return {};
}

}  // namespace casemate::engine
