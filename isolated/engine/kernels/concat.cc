// SPDX-License-Identifier: Apache-2.0
// Concat along one axis, in whatever layout its inputs have.
#include "isolated/engine/kernels/dnnl_kernel.h"

namespace casemate::engine {
namespace {

// The layout most of what is computed already has; blocked ones only where no block is split.
Layout layout_of(const KernelRequest& request) {
  for (size_t i = 0; i < request.node.inputs.size(); ++i) {
    if (request.constant(i) != nullptr) continue;
    const Layout layout = request.layouts[i];
    if (layout == Layout::kRowMajor || layout == Layout::kChannelsLast) return layout;
    const int64_t block = layout == Layout::kBlocked16 ? 16 : 8;
    for (size_t j = 0; j < request.node.inputs.size(); ++j) {
      if (request.input_shape(j)[1] % block != 0) return Layout::kChannelsLast;
    }
    return layout;
  }
  return Layout::kRowMajor;
}

KernelResult make_concat(const KernelRequest& request) {
  const Layout layout = layout_of(request);
  int64_t axis = request.node.attributes.integer("axis", 0);
  if (axis < 0) axis += request.output_shape().rank();
  KernelNeeds needs{.outputs = {layout}};
  needs.inputs.resize(request.node.inputs.size());
  std::vector<dnnl::memory::desc> sources;
  std::vector<DnnlArgument> arguments;
  for (size_t i = 0; i < request.node.inputs.size(); ++i) {
    const int id = DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i);
    const auto desc = describe(ElementType::kFloat32, request.input_shape(i), layout);
    sources.push_back(desc);
    if (const Tensor* constant = request.constant(i)) {
      const auto plain = describe(ElementType::kFloat32, request.input_shape(i), Layout::kRowMajor);
      const Bytes packed = TRY(pack_reordered(request.packer, *constant, plain, desc));
      arguments.push_back(DnnlArgument::packed(id, packed, desc));
    } else {
      needs.inputs[i] = layout;
      arguments.push_back(DnnlArgument::input(id, i, desc));
    }
  }
  const auto target = describe(ElementType::kFloat32, request.output_shape(), layout);
  const dnnl::concat::primitive_desc description(cpu_engine(), target, static_cast<int>(axis),
                                                 sources, base_attributes());
  arguments.push_back(DnnlArgument::output(DNNL_ARG_DST, target));
  return dnnl_kernel<dnnl::concat>(std::move(needs), description, std::move(arguments));
}

}  // namespace

void register_concat(Registry& registry) {
  registry.add("Concat", ElementType::kFloat32, Device::kCpu, make_concat);
}

}  // namespace casemate::engine
