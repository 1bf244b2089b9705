// SPDX-License-Identifier: Apache-2.0
// Element-wise operators of two values with NumPy's broadcasting: oneDNN where one operand has the
// result's shape and its kernel is fast, loops of our own for the rest.
#include <algorithm>
#include <array>
#include <cmath>

#include "isolated/engine/graph/box.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/kernels/post_ops.h"

namespace casemate::engine {
namespace {

using Function = float (*)(float, float);

struct Operator {
  std::string_view op;
  Function function;
  dnnl::algorithm algorithm;
  bool commutes;
};

constexpr std::array kOperators = std::to_array<Operator>({
    {"Add", [](float a, float b) { return a + b; }, dnnl::algorithm::binary_add, true},
    {"Sub", [](float a, float b) { return a - b; }, dnnl::algorithm::binary_sub, false},
    {"Mul", [](float a, float b) { return a * b; }, dnnl::algorithm::binary_mul, true},
    {"Div", [](float a, float b) { return a / b; }, dnnl::algorithm::binary_div, false},
    {"Min", [](float a, float b) { return b < a ? b : a; }, dnnl::algorithm::binary_min, true},
    {"Max", [](float a, float b) { return a < b ? b : a; }, dnnl::algorithm::binary_max, true},
    {"Pow", [](float a, float b) { return std::pow(a, b); }, dnnl::algorithm::undef, false},
    {"PRelu", [](float a, float b) { return a < 0 ? a * b : a; }, dnnl::algorithm::undef, false},
});

// True when only dimension 1, the channels, is longer than 1: such an operand lies the same in
// every layout of the other one.
bool per_channel(const Shape& shape) {
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    if (i != 1 && shape[i] != 1) return false;
  }
  return true;
}

KernelResult make_loop(const KernelRequest& request, const Operator& facts) {
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  const LoopOperand a = TRY(loop_operand(request, 0, needs));
  const LoopOperand b = TRY(loop_operand(request, 1, needs));
  const Shape shape = request.output_shape();
  for (const size_t side : {0, 1}) {
    if (!broadcastable(request.input_shape(side), shape)) {
      return Error{Code::kInvalid, "its operands cannot be broadcast to its result"};
    }
  }
  const std::array<Steps, 3> steps = {broadcast_steps(request.input_shape(0), shape),
                                      broadcast_steps(request.input_shape(1), shape),
                                      dense_steps(shape)};
  const uint32_t last = std::max(shape.rank(), 1u) - 1;
  const auto loop = [=, function = facts.function](const KernelArguments& arguments) {
    const auto* x = elements<float>(a.data(arguments));
    const auto* y = elements<float>(b.data(arguments));
    auto* z = elements<float>(arguments.outputs[0]);
    for_each_row(shape, steps, [&](const auto& offsets, int64_t columns) {
      for (int64_t i = 0; i < columns; ++i) {
        z[offsets[2] + i] =
            function(x[offsets[0] + i * steps[0][last]], y[offsets[1] + i * steps[1][last]]);
      }
    });
  };
  return loop_kernel(std::move(needs), loop);
}

// The operands in oneDNN's order: the first has the result's shape.
struct Sides {
  size_t whole;
  size_t part;
};

std::optional<Sides> sides_of(const KernelRequest& request, const Operator& facts) {
  if (facts.algorithm == dnnl::algorithm::undef) return std::nullopt;
  const Shape& result = request.output_shape();
  const auto usable = [&](size_t i) {
    return request.input_shape(i) == result && !request.constant(i);
  };
  if (usable(0)) return Sides{0, 1};
  if (usable(1) && facts.commutes) return Sides{1, 0};
  return std::nullopt;
}

KernelResult make_binary(const KernelRequest& request) {
  const auto facts = std::ranges::find(kOperators, request.node.op, &Operator::op);
  const auto sides = sides_of(request, *facts);
  if (!sides) return make_loop(request, *facts);
  const Shape& shape = request.output_shape();
  const Shape part_shape = widened(request.input_shape(sides->part), shape.rank());
  const bool alike = part_shape == shape;
  const Layout layout =
      alike || per_channel(part_shape) ? request.layouts[sides->whole] : Layout::kRowMajor;
  const Layout part_layout = alike ? layout : Layout::kRowMajor;
  const auto whole = describe(ElementType::kFloat32, shape, layout);
  const auto part = describe(ElementType::kFloat32, part_shape, part_layout);
  KernelNeeds needs{.outputs = {layout}, .may_overwrite = {sides->whole}};
  needs.inputs.resize(2);
  needs.inputs[sides->whole] = layout;
  std::vector<DnnlArgument> arguments = {DnnlArgument::input(DNNL_ARG_SRC_0, sides->whole, whole),
                                         DnnlArgument::output(DNNL_ARG_DST, whole)};
  dnnl::primitive_attr attributes = base_attributes();
  TRY(append_post_ops(request, layout, dnnl_dims(shape), attributes, arguments, needs));
  const dnnl::binary::primitive_desc description(cpu_engine(), facts->algorithm, whole, part, whole,
                                                 attributes, true);
  if (!description || (reference(description) && request.node.post_ops.empty())) {
    return make_loop(request, *facts);
  }
  if (const Tensor* constant = request.constant(sides->part)) {
    const auto plain = describe(ElementType::kFloat32, part_shape, Layout::kRowMajor);
    const Bytes packed = TRY(pack_reordered(request.packer, *constant, plain, part));
    arguments.push_back(DnnlArgument::packed(DNNL_ARG_SRC_1, packed, part));
  } else {
    needs.inputs[sides->part] = part_layout;
    arguments.push_back(DnnlArgument::input(DNNL_ARG_SRC_1, sides->part, part));
  }
  return dnnl_kernel<dnnl::binary>(std::move(needs), description, std::move(arguments));
}

}  // namespace

void register_binary(Registry& registry) {
  for (const Operator& facts : kOperators) {
    registry.add(std::string(facts.op), ElementType::kFloat32, Device::kCpu, make_binary);
  }
}

}  // namespace casemate::engine
