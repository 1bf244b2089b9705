// SPDX-License-Identifier: Apache-2.0
// Element-wise operators of one value that stand alone, because no kernel before them took them in.
#include "isolated/engine/graph/activation.h"

#include "isolated/engine/kernels/post_ops.h"

namespace casemate::engine {
namespace {

KernelResult make_activation(const KernelRequest& request) {
  const auto activation = as_post_op(request.graph, request.node);
  if (!activation) return Error{Code::kUnsupported, "its parameters are computed, not constant"};
  // Any layout will do, and padding may be read: blocked padding is zero and is never looked at.
  const Layout layout = request.layouts[0];
  const auto desc = describe(ElementType::kFloat32, request.input_shape(0), layout);
  const Eltwise eltwise = eltwise_of(*activation);
  const dnnl::eltwise_forward::primitive_desc description(
      cpu_engine(), dnnl::prop_kind::forward_inference, eltwise.algorithm, desc, desc,
      eltwise.alpha, eltwise.beta, base_attributes());
  KernelNeeds needs{.inputs = {layout}, .outputs = {layout}, .may_overwrite = {0}};
  return dnnl_kernel<dnnl::eltwise_forward>(
      std::move(needs), description,
      {DnnlArgument::input(DNNL_ARG_SRC, 0, desc), DnnlArgument::output(DNNL_ARG_DST, desc)});
}

}  // namespace

void register_activation(Registry& registry) {
  for (const char* op :
       {"Abs", "Clip", "Elu", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg",
        "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh"}) {
    registry.add(op, ElementType::kFloat32, Device::kCpu, make_activation);
  }
}

}  // namespace casemate::engine
