// SPDX-License-Identifier: Apache-2.0
// The seam to oneDNN: the one place where its exceptions are caught while kernels are made.
#include <algorithm>
#include <array>

#include "base/format.h"
#include "isolated/engine/kernels/dnnl_kernel.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// What `make` makes, its errors and exceptions put into the words of `place`.
template <class Make>
KernelResult guarded(const std::string& place, Make make) {
  try {
    KernelResult made = make();
    if (!made) return Error{made.error().code, formatted("{}: {}", place, made.error().text)};
    return made;
  } catch (const dnnl::error& error) {
    return Error{Code::kUnsupported,
                 formatted("{}: oneDNN has no kernel for these shapes ({})", place, error.message)};
  } catch (const std::bad_alloc&) {
    return Error{Code::kUnavailable, formatted("{}: out of memory while compiling", place)};
  }
}

// Whether all that the kernel will read and write has the types that it was registered for: it
// takes memory as elements of these without looking again.
Status check_types(const KernelRequest& request, ElementType type, const KernelEntry& entry) {
  const Node& node = request.node;
  const auto refused = [&](std::string_view what, size_t i, ElementType have, ElementType want) {
    return Error{Code::kUnsupported,
                 formatted("{}: its {} {} is {}, its kernel takes {}: export the model with a "
                           "Cast",
                           place_of(node), what, i, name_of(have), name_of(want))};
  };
  for (size_t i = 0; i < node.inputs.size() && !entry.mixed; ++i) {
    if (node.inputs[i].present() && request.input_type(i) != type)
      return refused("input", i, request.input_type(i), type);
  }
  for (size_t i = 0; i < node.outputs.size() && entry.output != ElementType::kNone; ++i) {
    if (request.output_type(i) != entry.output)
      return refused("output", i, request.output_type(i), entry.output);
  }
  return {};
}

}  // namespace

const Shape& KernelRequest::input_shape(size_t index) const {
  return graph.value(node.inputs[index]).shapes[variant];
}
const Shape& KernelRequest::output_shape(size_t index) const {
  return graph.value(node.outputs[index]).shapes[variant];
}
ElementType KernelRequest::input_type(size_t index) const {
  return graph.value(node.inputs[index]).type;
}
ElementType KernelRequest::output_type(size_t index) const {
  return graph.value(node.outputs[index]).type;
}
const Tensor* KernelRequest::constant(size_t index) const {
  return graph.constant(node.input(index));
}

// Of our own loops where there are some, and otherwise the operator's function.
KernelResult make_fixed_kernel(const KernelRequest& request, const KernelEntry* entry) {
  if (entry != nullptr && entry->ahead) {
    auto made = guarded(place_of(request.node), [&] { return entry->maker(request); });
    if (made || made.error().code != Code::kUnsupported) return made;
  }
  return make_operator_kernel(request);
}

namespace {

// For a node in canonical form, whose result has no elements: oneDNN knows not all such shapes.
KernelResult make_nothing() {
  return loop_kernel({.outputs = {Layout::kRowMajor}, .implementation = "nothing"},
                     [](const KernelArguments&) {});
}

}  // namespace

KernelResult make_kernel(const KernelRequest& request, Device device) {
  const Node& node = request.node;
  if (!node.raw && node.outputs.size() == 1 &&
      std::ranges::contains(request.output_shape().dims(), 0)) {
    return make_nothing();
  }
  const ElementType type = node.input(0).present() ? request.input_type(0) : request.output_type();
  const KernelEntry* entry = Registry::instance().find(node.op, type, device);
  const bool fitting = entry != nullptr && entry->plain &&
                       (node.since == 0 || node.since >= 7 || node.inputs.size() == 1) &&
                       check_types(request, type, *entry);
  if (node.raw && !fitting) return make_operator_kernel(request);
  if (request.fixed) return make_fixed_kernel(request, entry);
  if (entry == nullptr) {
    const std::string reason = Registry::instance().knows(node.op, device)
                                   ? formatted("has no kernel for {} tensors", name_of(type))
                                   : "is not supported";
    return Error{Code::kUnsupported, formatted("{}: this operator {}: export the model without it",
                                               place_of(node), reason)};
  }
  TRY(check_types(request, type, *entry));
  auto made = guarded(place_of(node), [&] { return entry->maker(request); });
  // What is said of bytes means the same in both forms.
  if (!made && (node.raw || entry->mixed) && made.error().code == Code::kUnsupported)
    return make_operator_kernel(request);
  return made;
}

KernelResult make_reorder(ElementType type, const Shape& shape, Layout from, Layout to) {
  const auto make = [&]() -> KernelResult {
    const auto source = describe(type, shape, from);
    const auto target = describe(type, shape, to);
    const dnnl::reorder::primitive_desc description(cpu_engine(), source, cpu_engine(), target,
                                                    base_attributes());
    KernelNeeds needs{.inputs = {from}, .outputs = {to}};
    return dnnl_kernel<dnnl::reorder>(
        std::move(needs), description,
        {DnnlArgument::input(DNNL_ARG_FROM, 0, source), DnnlArgument::output(DNNL_ARG_TO, target)});
  };
  return guarded(formatted("reordering {} from {} to {}", shape.text(), name_of(from), name_of(to)),
                 make);
}

Status finish_kernels() {
  // oneDNN's sgemm, on which some of its kernels stand, generates its code once per process, when
  // it is first called. One call with a vector and one with matrices, for each transposition, cover
  // it.
  const SingleThread single;
  std::array<float, 64> a{};
  std::array<float, 64> b{};
  std::array<float, 64> c{};
  for (const char left : {'N', 'T'}) {
    for (const char right : {'N', 'T'}) {
      for (const dnnl_dim_t columns : {1, 8}) {
        const auto status = dnnl_sgemm(left, right, 8, columns, 8, 1.0F, a.data(), 8, b.data(), 8,
                                       0.0F, c.data(), 8);
        if (status != dnnl_success) return Error{Code::kPlatform, "oneDNN's matrix product failed"};
      }
    }
  }
  return {};
}

}  // namespace casemate::engine
