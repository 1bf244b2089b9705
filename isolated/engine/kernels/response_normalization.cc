// SPDX-License-Identifier: Apache-2.0
// LRN: each element of an image [N,C,H,W] divided by the size of those around it in other channels
// (Krizhevsky et al. 2012, section 3.3), where oneDNN has more than a reference loop for it.
#include "isolated/engine/kernels/dnnl_kernel.h"

namespace casemate::engine {
namespace {

KernelResult make_response_normalization(const KernelRequest& request) {
  const Shape& shape = request.input_shape(0);
  const Attributes& given = request.node.attributes;
  const int64_t size = given.integer("size", 0);
  // ONNX's window of an even size reaches further up than down, oneDNN's does not.
  if (shape.rank() != 4 || size < 1 || size % 2 == 0 || size > shape[1])
    return Error{Code::kUnsupported, "oneDNN has no such window"};
  const Layout layout = request.layouts[0];
  const auto desc = describe(ElementType::kFloat32, shape, layout);
  const dnnl::lrn_forward::primitive_desc description(
      cpu_engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels, desc,
      desc, size, given.real("alpha", 1e-4F), given.real("beta", 0.75F), given.real("bias", 1.0F),
      base_attributes());
  if (reference(description))
    return Error{Code::kUnsupported, "oneDNN has only a reference loop for it"};
  KernelNeeds needs{.inputs = {layout}, .outputs = {layout}};
  return dnnl_kernel<dnnl::lrn_forward>(
      std::move(needs), description,
      {DnnlArgument::input(DNNL_ARG_SRC, 0, desc), DnnlArgument::output(DNNL_ARG_DST, desc)});
}

}  // namespace

void register_response_normalization(Registry& registry) {
  registry.add("LRN", ElementType::kFloat32, Device::kCpu, make_response_normalization);
}

}  // namespace casemate::engine
