// SPDX-License-Identifier: Apache-2.0
// BatchNormalization that could not be folded into a convolution: [N,C,...] with constant scale,
// shift, mean and variance [C] (Ioffe and Szegedy 2015, inference form).
#include "isolated/engine/kernels/dnnl_kernel.h"

namespace casemate::engine {
namespace {

using Flags = dnnl::normalization_flags;

KernelResult make_batch_normalization(const KernelRequest& request) {
  const Shape& shape = request.input_shape(0);
  if (shape.rank() < 2 || shape.rank() > 5) {
    return Error{Code::kUnsupported, "supported are inputs of rank 2 to 5"};
  }
  const Layout layout = request.layouts[0];
  const auto desc = describe(ElementType::kFloat32, shape, layout);
  const dnnl::batch_normalization_forward::primitive_desc description(
      cpu_engine(), dnnl::prop_kind::forward_inference, desc, desc,
      request.node.attributes.real("epsilon", 1e-5F),
      Flags::use_global_stats | Flags::use_scale | Flags::use_shift, base_attributes());
  KernelNeeds needs{.inputs = {layout}, .outputs = {layout}, .may_overwrite = {0}};
  needs.inputs.resize(5);
  std::vector<DnnlArgument> arguments = {DnnlArgument::input(DNNL_ARG_SRC, 0, desc),
                                         DnnlArgument::output(DNNL_ARG_DST, desc)};
  const int ids[] = {DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN, DNNL_ARG_VARIANCE};
  const auto vector = describe(ElementType::kFloat32, Shape{shape[1]}, Layout::kRowMajor);
  for (size_t i = 0; i < 4; ++i) {
    const Tensor* constant = request.constant(i + 1);
    if (constant == nullptr)
      return Error{Code::kUnsupported, "its statistics are computed, not constant"};
    const Bytes bytes = TRY(request.packer.pack(*constant));
    arguments.push_back(DnnlArgument::packed(ids[i], bytes, vector));
  }
  return dnnl_kernel<dnnl::batch_normalization_forward>(std::move(needs), description,
                                                        std::move(arguments));
}

}  // namespace

void register_normalization(Registry& registry) {
  registry.add("BatchNormalization", ElementType::kFloat32, Device::kCpu, make_batch_normalization);
}

}  // namespace casemate::engine
