// SPDX-License-Identifier: Apache-2.0
// Element-wise operators of one value that stand alone, because no kernel before them took them in.
#include "isolated/engine/graph/activation.h"

#include <map>

#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/kernels/post_ops.h"
#include "isolated/engine/kernels/vector_loops.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Elements that are worth a thread.
constexpr int64_t kPieceElements = 16 << 10;

// Without generated code.
KernelResult make_vector_loop(const KernelRequest& request, const PostOp& activation) {
  static const std::map<std::string_view, Activate> kFunctions = {
      {"Relu", Activate::kRelu},
      {"Tanh", Activate::kTanh},
      {"Gelu", Activate::kGelu},
      {"GeluTanh", Activate::kGeluTanh}};
  const auto found = kFunctions.find(activation.op);
  if (found == kFunctions.end() || request.constant(0) != nullptr)
    return Error{Code::kUnsupported, "there is no loop for it"};
  const Layout layout = request.layouts[0];
  const auto count = static_cast<int64_t>(TRY(request.output_shape().element_count()));
  const int64_t pieces = piece_count(count, kPieceElements, thread_count());
  KernelNeeds needs{.inputs = {layout}, .outputs = {layout}, .may_overwrite = {0}};
  needs.implementation = vector_loops().name;
  const auto loop = [=, function = found->second](const KernelArguments& arguments) {
    const auto* x = elements<float>(static_cast<const uint8_t*>(arguments.inputs[0]));
    auto* y = elements<float>(arguments.outputs[0]);
    parallel_for(pieces, [&](int64_t piece) {
      const int64_t begin = count * piece / pieces;
      vector_loops().activate(function, x + begin, y + begin, count * (piece + 1) / pieces - begin);
    });
  };
  return loop_kernel(std::move(needs), loop);
}

KernelResult make_activation(const KernelRequest& request) {
  const auto activation = as_post_op(request.graph, request.node);
  if (!activation) return Error{Code::kUnsupported, "its parameters are computed, not constant"};
  if (request.fixed) return make_vector_loop(request, *activation);
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
