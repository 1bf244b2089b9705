// SPDX-License-Identifier: Apache-2.0
// MaxPool, AveragePool and their global forms: [N,C,spatial...] to [N,C,smaller...].
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/post_ops.h"
#include "isolated/engine/kernels/window.h"

namespace casemate::engine {
namespace {

using Description = dnnl::pooling_forward::primitive_desc;

// How many cells an average is over. Where rounding up lets the window reach beyond the padding,
// ONNX counts the padding but not what lies beyond, which oneDNN cannot: that case is refused.
Result<dnnl::algorithm> average_of(const KernelRequest& request, const Window& window) {
  if (request.node.attributes.integer("count_include_pad", 0) == 0) {
    return dnnl::algorithm::pooling_avg_exclude_padding;
  }
  for (size_t i = 0; i < window.reach_end.size(); ++i) {
    if (window.reach_end[i] > window.pads_end[i]) {
      return Error{
          Code::kUnsupported,
          "ceil_mode with count_include_pad where the window passes the padding: export it "
          "with explicit pads"};
    }
  }
  return dnnl::algorithm::pooling_avg_include_padding;
}

KernelResult make_pool(const KernelRequest& request, dnnl::algorithm algorithm,
                       const Window& window) {
  Description best;
  Layout chosen = request.preferred;
  for (const Layout layout :
       {request.preferred, Layout::kChannelsLast, Layout::kBlocked16, Layout::kRowMajor}) {
    Description made(cpu_engine(), dnnl::prop_kind::forward_inference, algorithm,
                     describe(ElementType::kFloat32, request.input_shape(0), layout),
                     describe(ElementType::kFloat32, request.output_shape(), layout),
                     window.strides, window.kernel, window.dilations, window.pads_begin,
                     window.reach_end, base_attributes(), true);
    if (!made) continue;
    const bool fast = !reference(made);
    if (fast || !best) {
      best = made;
      chosen = layout;
    }
    if (fast) break;
  }
  if (!best) return Error{Code::kUnsupported, "oneDNN has no kernel for these shapes"};
  KernelNeeds needs{.inputs = {chosen}, .outputs = {chosen}};
  return dnnl_kernel<dnnl::pooling_forward>(std::move(needs), best,
                                            {DnnlArgument::input(DNNL_ARG_SRC, 0, best.src_desc()),
                                             DnnlArgument::output(DNNL_ARG_DST, best.dst_desc())});
}

KernelResult make_pooling(const KernelRequest& request) {
  const Shape& source = request.input_shape(0);
  if (source.rank() < 3 || source.rank() > 5) {
    return Error{Code::kUnsupported,
                 formatted("input of rank {}, supported are 3, 4 and 5", source.rank())};
  }
  Window window = window_of(request.node, source, request.output_shape());
  const std::string& op = request.node.op;
  if (op.starts_with("Global")) {
    for (size_t i = 0; i < window.kernel.size(); ++i) {
      window.kernel[i] = source[i + 2];
      window.reach_end[i] = 0;
    }
  }
  dnnl::algorithm algorithm = dnnl::algorithm::pooling_max;
  if (op == "AveragePool") algorithm = TRY(average_of(request, window));
  if (op == "GlobalAveragePool") algorithm = dnnl::algorithm::pooling_avg_exclude_padding;
  return make_pool(request, algorithm, window);
}

}  // namespace

void register_pooling(Registry& registry) {
  for (const char* op : {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}) {
    registry.add(op, ElementType::kFloat32, Device::kCpu, make_pooling);
  }
}

}  // namespace casemate::engine
