// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear and DequantizeLinear with one scale for all, DynamicQuantizeLinear, and what
// passes make of operators between them: casemate:QLinearAdd(a, b; scales, zeros) of one shape, and
// casemate:ByteTable(x, table), any function of a single byte.
#include <algorithm>
#include <cmath>

#include "isolated/engine/kernels/byte_form.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

using byte_product::instruction_set;
using byte_product::Quantisation;

// Elements that are worth a piece of their own.
constexpr int64_t kPieceElements = 16 << 10;

// What works on each element for itself keeps the layout that it finds, if that has no padding.
Layout kept_layout(const KernelRequest& request) {
  const Layout layout = request.layouts[0];
  return layout == Layout::kRowMajor ? layout : Layout::kChannelsLast;
}

// Calls work(first, count) for all of them, on all threads.
template <class Work>
void in_pieces(int64_t count, Work work) {
  const int64_t pieces = piece_count(count, kPieceElements, thread_count());
  parallel_for(pieces, [&](int64_t piece) {
    const int64_t begin = count * piece / pieces;
    work(begin, count * (piece + 1) / pieces - begin);
  });
}

// The node's scale and zero point, which may be left out, as one of each.
Result<Quantisation> quantisation_of(const KernelRequest& request, ElementType type) {
  const auto scale = one_real(request, 1);
  int32_t zero = 0;
  if (request.node.input(2).present()) {
    const auto given = one_byte(request, 2);
    if (!given || request.input_type(2) != type)
      return Error{Code::kUnsupported, "its zero point is computed, or one of several"};
    zero = *given;
  }
  if (!scale || !byte_type(type))
    return Error{Code::kUnsupported, "its scale is computed, or one of several"};
  const ByteRange range = range_of(type);
  return Quantisation{.scale = *scale,
                      .low = static_cast<float>(range.low - zero),
                      .high = static_cast<float>(range.high - zero),
                      .zero = zero,
                      .is_signed = type == ElementType::kInt8};
}

KernelNeeds elementwise(const KernelRequest& request) {
  const Layout layout = kept_layout(request);
  KernelNeeds needs{.outputs = {layout}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[0] = layout;
  needs.implementation = std::string("bytes ") + instruction_set().name;
  return needs;
}

KernelResult make_quantize(const KernelRequest& request) {
  const Quantisation q = TRY(quantisation_of(request, request.output_type()));
  if (request.constant(0) != nullptr) return Error{Code::kUnsupported, "its input is constant"};
  const auto count = static_cast<int64_t>(TRY(request.output_shape().element_count()));
  return loop_kernel(elementwise(request), [=](const KernelArguments& arguments) {
    const auto* const x = elements<float>(static_cast<const uint8_t*>(arguments.inputs[0]));
    in_pieces(count, [&](int64_t first, int64_t part) {
      instruction_set().quantise(q, x + first, arguments.outputs[0] + first, part);
    });
  });
}

KernelResult make_dequantize(const KernelRequest& request) {
  const Quantisation q = TRY(quantisation_of(request, request.input_type(0)));
  if (request.constant(0) != nullptr || request.output_type() != ElementType::kFloat32)
    return Error{Code::kUnsupported, "its input is constant, or its result no float32"};
  const auto count = static_cast<int64_t>(TRY(request.output_shape().element_count()));
  return loop_kernel(elementwise(request), [=](const KernelArguments& arguments) {
    auto* const y = elements<float>(arguments.outputs[0]);
    in_pieces(count, [&](int64_t first, int64_t part) {
      instruction_set().dequantise(q, arguments.inputs[0] + first, y + first, part);
    });
  });
}

// The scale and the zero point that let 0 and all from low to high be told in a byte; where all is
// 0, any scale would do: it is 1.
Quantisation dynamic_quantisation(float low, float high) {
  const float scale = low == high ? 1 : (high - low) / 255;
  const float wanted = -low / scale;
  const float zero = std::nearbyint(wanted > 0 ? std::min(wanted, 255.0F) : 0.0F);
  return {.scale = scale,
          .low = -zero,
          .high = 255 - zero,
          .zero = static_cast<int32_t>(zero),
          .is_signed = false};
}

KernelResult make_dynamic_quantize(const KernelRequest& request) {
  const Node& node = request.node;
  const bool whole = node.outputs.size() == 3 &&
                     std::ranges::all_of(node.outputs, [](ValueId id) { return id.present(); });
  if (!whole || request.constant(0) != nullptr)
    return Error{Code::kUnsupported, "one of its results is left out, or its input is constant"};
  const auto count = static_cast<int64_t>(TRY(request.output_shape().element_count()));
  constexpr int64_t kParts = 64;
  KernelNeeds needs = elementwise(request);
  needs.outputs = {needs.outputs[0], Layout::kRowMajor, Layout::kRowMajor};
  needs.scratch_bytes = kParts * 2 * sizeof(float);
  return loop_kernel(std::move(needs), [=](const KernelArguments& arguments) {
    const auto* const x = elements<float>(static_cast<const uint8_t*>(arguments.inputs[0]));
    auto* const ranges = elements<float>(arguments.scratch);
    const int64_t parts = std::clamp<int64_t>(count / kPieceElements, 1, kParts);
    parallel_for(parts, [&](int64_t part) {
      const int64_t begin = count * part / parts;
      instruction_set().range(x + begin, count * (part + 1) / parts - begin, ranges + 2 * part,
                              ranges + 2 * part + 1);
    });
    float low = 0;
    float high = 0;
    for (int64_t part = 0; part < parts; ++part) {
      low = std::min(low, ranges[2 * part]);
      high = std::max(high, ranges[2 * part + 1]);
    }
    const Quantisation q = dynamic_quantisation(low, high);
    *elements<float>(arguments.outputs[1]) = q.scale;
    *arguments.outputs[2] = static_cast<uint8_t>(q.zero);
    in_pieces(count, [&](int64_t first, int64_t part) {
      instruction_set().quantise(q, x + first, arguments.outputs[0] + first, part);
    });
  });
}

// The sum of two values of bytes, in steps of the result's scale.
Result<byte_product::ByteSum> sum_of(const KernelRequest& request) {
  const std::vector<float> scales = request.node.attributes.reals("scales");
  const std::vector<int64_t> zeros = request.node.attributes.integers("zeros");
  const ElementType type = request.output_type();
  if (scales.size() != 3 || zeros.size() != 3 || !byte_type(type) ||
      !byte_type(request.input_type(0)) || !byte_type(request.input_type(1)) ||
      request.input_shape(0) != request.output_shape() ||
      request.input_shape(1) != request.output_shape() || request.constant(0) != nullptr ||
      request.constant(1) != nullptr)
    return Error{Code::kUnsupported, "its operands are no two values of bytes of its shape"};
  const ByteRange range = range_of(type);
  byte_product::ByteSum sum{.a_scale = scales[0] / scales[2],
                            .b_scale = scales[1] / scales[2],
                            .shift = 0,
                            .low = static_cast<float>(range.low - zeros[2]),
                            .high = static_cast<float>(range.high - zeros[2]),
                            .zero = static_cast<int32_t>(zeros[2]),
                            .a_signed = request.input_type(0) == ElementType::kInt8,
                            .b_signed = request.input_type(1) == ElementType::kInt8};
  sum.shift =
      -static_cast<float>(zeros[0]) * sum.a_scale - static_cast<float>(zeros[1]) * sum.b_scale;
  for (const PostOp& post : request.node.post_ops) {
    if (post.op != "Relu") return Error{Code::kUnsupported, "it is followed by what it cannot do"};
    sum.low = std::max(sum.low, 0.0F);
  }
  return sum;
}

KernelResult make_add(const KernelRequest& request) {
  const byte_product::ByteSum sum = TRY(sum_of(request));
  const auto count = static_cast<int64_t>(TRY(request.output_shape().element_count()));
  KernelNeeds needs = elementwise(request);
  needs.inputs[1] = needs.inputs[0];
  needs.may_overwrite = {0, 1};
  return loop_kernel(std::move(needs), [=](const KernelArguments& arguments) {
    in_pieces(count, [&](int64_t first, int64_t part) {
      instruction_set().add(sum, arguments.inputs[0] + first, arguments.inputs[1] + first,
                            arguments.outputs[0] + first, part);
    });
  });
}

KernelResult make_table(const KernelRequest& request) {
  const Tensor* const table = request.constant(1);
  if (table == nullptr || table->byte_count() != 256 || !byte_type(request.input_type(0)) ||
      !byte_type(request.output_type()) || request.constant(0) != nullptr ||
      request.input_shape(0) != request.output_shape())
    return Error{Code::kUnsupported, "its table has not one byte for each byte"};
  const uint8_t* const found = TRY(request.packer.pack(*table)).data();
  const auto count = static_cast<int64_t>(TRY(request.output_shape().element_count()));
  KernelNeeds needs = elementwise(request);
  needs.may_overwrite = {0};
  return loop_kernel(std::move(needs), [=](const KernelArguments& arguments) {
    in_pieces(count, [&](int64_t first, int64_t part) {
      const uint8_t* const x = arguments.inputs[0] + first;
      uint8_t* const y = arguments.outputs[0] + first;
      for (int64_t i = 0; i < part; ++i) y[i] = found[x[i]];
    });
  });
}

}  // namespace

void register_quantisation(Registry& registry) {
  registry.add_mixed("QuantizeLinear", ElementType::kFloat32, Device::kCpu, make_quantize);
  registry.add_mixed("DynamicQuantizeLinear", ElementType::kFloat32, Device::kCpu,
                     make_dynamic_quantize);
  for (const ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
    registry.add_mixed("DequantizeLinear", type, Device::kCpu, make_dequantize);
    registry.add_mixed("casemate:QLinearAdd", type, Device::kCpu, make_add);
    registry.add_mixed("casemate:ByteTable", type, Device::kCpu, make_table);
  }
}

}  // namespace casemate::engine
