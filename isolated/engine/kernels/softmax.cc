// SPDX-License-Identifier: Apache-2.0
// Softmax and LogSoftmax along one axis (opset 13's meaning; the importer rewrites older ones).
#include "isolated/engine/kernels/dnnl_kernel.h"

namespace casemate::engine {
namespace {

KernelResult make_softmax(const KernelRequest& request) {
  const Shape& shape = request.input_shape(0);
  int64_t axis = request.node.attributes.integer("axis", -1);
  if (axis < 0) axis += shape.rank();
  // The innermost axis is the fast one, and in row-major order that is the last.
  const Layout layout = axis == 1 ? request.layouts[0] : Layout::kRowMajor;
  const auto desc = describe(ElementType::kFloat32, shape, layout);
  const auto algorithm = request.node.op == "Softmax" ? dnnl::algorithm::softmax_accurate
                                                      : dnnl::algorithm::softmax_log;
  const dnnl::softmax_forward::primitive_desc description(
      cpu_engine(), dnnl::prop_kind::forward_inference, algorithm, desc, desc,
      static_cast<int>(axis), base_attributes());
  KernelNeeds needs{.inputs = {layout}, .outputs = {layout}, .may_overwrite = {0}};
  return dnnl_kernel<dnnl::softmax_forward>(
      std::move(needs), description,
      {DnnlArgument::input(DNNL_ARG_SRC, 0, desc), DnnlArgument::output(DNNL_ARG_DST, desc)});
}

}  // namespace

void register_softmax(Registry& registry) {
  registry.add("Softmax", ElementType::kFloat32, Device::kCpu, make_softmax);
  registry.add("LogSoftmax", ElementType::kFloat32, Device::kCpu, make_softmax);
}

}  // namespace casemate::engine
