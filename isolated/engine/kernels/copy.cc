// SPDX-License-Identifier: Apache-2.0
// Operators that only move elements: Reshape (a view), Transpose, Slice, Expand, Pad, for every
// element size. oneDNN takes over FP32 transposes, which it does faster and on all threads.
#include <algorithm>
#include <cstring>

#include "isolated/engine/graph/box.h"
#include "isolated/engine/kernels/dnnl_kernel.h"
#include "isolated/engine/kernels/loop_kernel.h"

namespace casemate::engine {
namespace {

KernelResult make_view(const KernelRequest& request) {
  if (TRY(request.input_shape(0).element_count()) != TRY(request.output_shape().element_count())) {
    return Error{Code::kInvalid, "its shapes have different element counts"};
  }
  KernelNeeds needs{.inputs = {Layout::kRowMajor}, .outputs = {Layout::kRowMajor}};
  needs.view = true;
  needs.implementation = "view";
  return loop_kernel(std::move(needs), [](const KernelArguments&) {});
}

KernelResult make_box(const KernelRequest& request) {
  const Shape& output = request.output_shape();
  const auto box = box_of(request.node, request.input_shape(0), output);
  if (!box || !inside(*box, request.input_shape(0), output)) {
    return Error{Code::kInvalid, "it would read or write outside its tensors"};
  }
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  const LoopOperand input = TRY(loop_operand(request, 0, needs));
  const size_t size = size_of(request.input_type(0));
  if (request.node.op != "Pad") {
    return loop_kernel(std::move(needs), [=, box = *box](const KernelArguments& arguments) {
      copy_box(box, size, input.data(arguments), arguments.outputs[0]);
    });
  }
  // Input 1 is the element to pad with: it is written everywhere first.
  const Tensor* fill = request.constant(1);
  if (fill == nullptr || fill->count() != 1) {
    return Error{Code::kUnsupported, "the value to pad with is computed"};
  }
  const uint8_t* element = TRY(request.packer.pack(*fill)).data();
  const Box flood{.shape = output, .write = dense_steps(output)};
  return loop_kernel(std::move(needs), [=, box = *box](const KernelArguments& arguments) {
    copy_box(flood, size, element, arguments.outputs[0]);
    copy_box(box, size, input.data(arguments), arguments.outputs[0]);
  });
}

// What passes make of a Transpose that reads a part of a value, or in steps of its own.
KernelResult make_stepped_copy(const KernelRequest& request) {
  const Shape& target = request.output_shape();
  const std::vector<int64_t> steps = request.node.attributes.integers("steps");
  Box box{.shape = target,
          .from = request.node.attributes.integer("offset", 0),
          .write = dense_steps(target)};
  if (steps.size() != target.rank())
    return Error{Code::kInvalid, "a copy has as many steps as dimensions"};
  std::ranges::copy(steps, box.read.begin());
  if (!inside(box, request.input_shape(0), target))
    return Error{Code::kInvalid, "it would read or write outside its tensors"};
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  const LoopOperand input = TRY(loop_operand(request, 0, needs));
  return loop_kernel(std::move(needs), [=](const KernelArguments& arguments) {
    copy_box(box, sizeof(float), input.data(arguments), arguments.outputs[0]);
  });
}

KernelResult make_transpose(const KernelRequest& request) {
  const Shape& target = request.output_shape();
  const auto box = box_of(request.node, request.input_shape(0), target);
  if (request.fixed || request.input_type(0) != ElementType::kFloat32 || target.rank() == 0 ||
      std::ranges::contains(target.dims(), 0) || !box ||
      !inside(*box, request.input_shape(0), target) || request.constant(0) != nullptr) {
    return make_box(request);
  }
  const dnnl::memory::dims strides(box->read.begin(), box->read.begin() + target.rank());
  const dnnl::memory::desc from(dnnl_dims(target), dnnl::memory::data_type::f32, strides);
  const auto to = describe(ElementType::kFloat32, target, Layout::kRowMajor);
  const dnnl::reorder::primitive_desc description(cpu_engine(), from, cpu_engine(), to,
                                                  base_attributes(), true);
  if (!description || reference(description)) return make_box(request);
  return dnnl_kernel<dnnl::reorder>(
      {.inputs = {Layout::kRowMajor}, .outputs = {Layout::kRowMajor}}, description,
      {DnnlArgument::input(DNNL_ARG_FROM, 0, from), DnnlArgument::output(DNNL_ARG_TO, to)});
}

}  // namespace

KernelResult make_constant_writer(const Tensor& constant, Packer& packer) {
  const Bytes bytes = TRY(packer.pack(constant));
  return loop_kernel({.outputs = {Layout::kRowMajor}, .implementation = "constant"},
                     [=](const KernelArguments& arguments) {
                       if (!bytes.empty())
                         std::memcpy(arguments.outputs[0], bytes.data(), bytes.size());
                     });
}

KernelResult make_copy(ElementType type, const Shape& shape, Layout layout) {
  const uint64_t size = TRY(layout_bytes(type, shape, layout));
  return loop_kernel({.inputs = {layout}, .outputs = {layout}, .implementation = "copy"},
                     [=](const KernelArguments& arguments) {
                       if (size != 0) std::memcpy(arguments.outputs[0], arguments.inputs[0], size);
                     });
}

void register_copy(Registry& registry) {
  for (const ElementType type :
       {ElementType::kFloat32, ElementType::kFloat64, ElementType::kFloat16, ElementType::kBfloat16,
        ElementType::kInt8, ElementType::kInt16, ElementType::kInt32, ElementType::kInt64,
        ElementType::kUint8, ElementType::kUint16, ElementType::kUint32, ElementType::kUint64,
        ElementType::kBool}) {
    registry.add("Reshape", type, Device::kCpu, make_view);
    registry.add("Transpose", type, Device::kCpu, make_transpose);
    if (type == ElementType::kFloat32)
      registry.add("casemate:Copy", type, Device::kCpu, make_stepped_copy);
    for (const char* op : {"Slice", "Expand", "Pad"})
      registry.add(op, type, Device::kCpu, make_box);
  }
}

}  // namespace casemate::engine
