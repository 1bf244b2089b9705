// SPDX-License-Identifier: Apache-2.0
// Conv: [N,C,spatial...] with weights [M,C/group,kernel...] and optional bias [M].
#include <optional>

#include "base/format.h"
#include "isolated/engine/kernels/depthwise.h"
#include "isolated/engine/kernels/gemm_convolution.h"
#include "isolated/engine/kernels/post_ops.h"
#include "isolated/engine/kernels/window.h"
#include "isolated/engine/kernels/winograd.h"

namespace casemate::engine {
namespace {

using dnnl::memory;
using Description = dnnl::convolution_forward::primitive_desc;

// One way to lay out what goes in and what comes out.
struct Choice {
  Layout source;
  Layout target;
};

// Weights as oneDNN wants them described: with an own dimension for groups.
Shape grouped_shape(const Shape& weights, int64_t groups) {
  if (groups == 1) return weights;
  std::vector<int64_t> dims(weights.dims().begin(), weights.dims().end());
  dims[0] /= groups;
  dims.insert(dims.begin(), groups);
  return Shape(dims);
}

// What has to be decided for each choice of layouts.
struct Attempt {
  Description description = {};
  KernelNeeds needs = {};
  std::vector<DnnlArgument> arguments = {};  // of the post-operations
  Choice choice;
};

Result<std::optional<Attempt>> attempt(const KernelRequest& request, Choice choice) {
  const Shape& source = request.input_shape(0);
  const Shape& target = request.output_shape();
  const Shape weights =
      grouped_shape(request.input_shape(1), request.node.attributes.integer("group", 1));
  const Window window = window_of(request.node, source, target);
  Attempt made{.choice = choice};
  made.needs.inputs.resize(request.node.inputs.size());
  made.needs.inputs[0] = choice.source;
  made.needs.outputs = {choice.target};
  dnnl::primitive_attr attributes = base_attributes();
  TRY(append_post_ops(request, choice.target, dnnl_dims(target), attributes, made.arguments,
                      made.needs));
  const memory::desc any(dnnl_dims(weights), memory::data_type::f32, memory::format_tag::any);
  memory::desc bias;
  if (request.node.input(2).present()) {
    bias = describe(ElementType::kFloat32, request.input_shape(2), Layout::kRowMajor);
  }
  made.description = Description(
      cpu_engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
      describe(ElementType::kFloat32, source, choice.source), any, bias,
      describe(ElementType::kFloat32, target, choice.target), window.strides, window.dilations,
      window.pads_begin, window.reach_end, attributes, true);
  if (!made.description) return std::optional<Attempt>{};
  return std::optional<Attempt>(std::move(made));
}

// The layouts in the order in which they are worth trying.
std::vector<Choice> choices(const KernelRequest& request) {
  std::vector<Choice> list;
  const Layout preferred = request.preferred;
  // A picture's few channels come row-major, and kernels for a first convolution read them like
  // that.
  const bool blocked = preferred == Layout::kBlocked8 || preferred == Layout::kBlocked16;
  if (blocked && request.input_shape(0)[1] <= 4 && request.layouts[0] == Layout::kRowMajor) {
    list.push_back({Layout::kRowMajor, preferred});
  }
  for (const Layout layout : {preferred, Layout::kChannelsLast, Layout::kBlocked16,
                              Layout::kBlocked8, Layout::kRowMajor}) {
    list.push_back({layout, layout});
  }
  return list;
}

Status bind_weights(const KernelRequest& request, const Description& description,
                    std::vector<DnnlArgument>& arguments) {
  const Tensor* weights = request.constant(1);
  if (weights == nullptr) {
    return Error{Code::kUnsupported, "its weights are computed, only constant ones are supported"};
  }
  const Shape grouped =
      grouped_shape(weights->shape(), request.node.attributes.integer("group", 1));
  const auto plain = describe(ElementType::kFloat32, grouped, Layout::kRowMajor);
  const Bytes packed =
      TRY(pack_reordered(request.packer, *weights, plain, description.weights_desc()));
  arguments.push_back(DnnlArgument::packed(DNNL_ARG_WEIGHTS, packed, description.weights_desc()));
  if (!request.node.input(2).present()) return {};
  const Tensor* bias = request.constant(2);
  if (bias == nullptr) {
    return Error{Code::kUnsupported, "its bias is computed, only a constant one is supported"};
  }
  const Bytes bytes = TRY(request.packer.pack(*bias));
  arguments.push_back(DnnlArgument::packed(DNNL_ARG_BIAS, bytes, description.bias_desc()));
  return {};
}

KernelResult make_convolution(const KernelRequest& request) {
  const uint32_t rank = request.input_shape(0).rank();
  if (rank < 3 || rank > 5) {
    return Error{Code::kUnsupported, formatted("input of rank {}, supported are 3, 4 and 5", rank)};
  }
  if (request.preferred == Layout::kChannelsLast) {
    const int size = winograd_size(request);
    auto ours = size != 0 ? TRY(make_winograd_convolution(request, size))
                          : TRY(make_gemm_convolution(request));
    if (ours == nullptr) ours = TRY(make_depthwise_convolution(request));
    if (ours != nullptr) return ours;
  }
  if (request.fixed) return Error{Code::kUnsupported, "its loops are generated"};
  std::optional<Attempt> best;
  for (const Choice choice : choices(request)) {
    std::optional<Attempt> made = TRY(attempt(request, choice));
    if (!made) continue;
    const bool fast = !reference(made->description);
    if (fast || !best) best = std::move(made);
    if (fast) break;
  }
  if (!best) return Error{Code::kUnsupported, "oneDNN has no kernel for these shapes"};
  std::vector<DnnlArgument> arguments = std::move(best->arguments);
  const Description& description = best->description;
  arguments.push_back(DnnlArgument::input(DNNL_ARG_SRC, 0, description.src_desc()));
  arguments.push_back(DnnlArgument::output(DNNL_ARG_DST, description.dst_desc()));
  TRY(bind_weights(request, description, arguments));
  return dnnl_kernel<dnnl::convolution_forward>(std::move(best->needs), description,
                                                std::move(arguments));
}

}  // namespace

void register_convolution(Registry& registry) {
  registry.add("Conv", ElementType::kFloat32, Device::kCpu, make_convolution);
}

}  // namespace casemate::engine
