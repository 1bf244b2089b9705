// SPDX-License-Identifier: Apache-2.0
// Concat along one axis, in whatever layout its inputs have.
#include <cstring>

#include "isolated/engine/kernels/dnnl_kernel.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// What is worth a thread.
constexpr size_t kPieceBytes = 64 << 10;
// What stays in the caches is copied faster by our own loop, what does not by oneDNN's.
constexpr uint64_t kCachedBytes = 4 << 20;

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

// Each input gives a run of bytes in turn, from a constant or not.
struct Run {
  LoopOperand operand;
  size_t bytes;
};

// Copied by a loop: dense layouts, in which the axis and what lies behind it are one run.
KernelResult make_copying(const KernelRequest& request, int64_t axis, Layout layout) {
  const Shape& target = request.output_shape();
  const bool last = layout == Layout::kChannelsLast;
  KernelNeeds needs{.outputs = {layout}};
  needs.inputs.resize(request.node.inputs.size());
  int64_t before = 1;  // runs
  for (uint32_t i = 0; i < target.rank(); ++i) {
    if (last ? i != 1 : i < axis) before *= target[i];
  }
  std::vector<Run> runs;
  for (size_t i = 0; i < request.node.inputs.size(); ++i) {
    const uint64_t bytes = TRY(tensor_bytes(request.output_type(), request.input_shape(i)));
    if (bytes == 0) continue;
    const bool packed = request.constant(i) != nullptr;
    if (packed && last && !same_placement(request.input_shape(i), layout, Layout::kRowMajor))
      return Error{Code::kUnsupported, "a constant image is reordered by generated code"};
    LoopOperand operand = TRY(loop_operand(request, i, needs));
    if (!packed) needs.inputs[i] = layout;
    runs.push_back({operand, bytes / static_cast<uint64_t>(before)});
  }
  size_t row = 0;
  for (const Run& run : runs) row += run.bytes;
  const auto loop = [=](const KernelArguments& arguments) {
    const int64_t pieces = piece_count(
        before, static_cast<int64_t>(kPieceBytes / std::max<size_t>(row, 1)) + 1, thread_count());
    parallel_for(pieces, [&](int64_t piece) {
      const int64_t begin = before * piece / pieces;
      const int64_t end = before * (piece + 1) / pieces;
      size_t at = 0;
      for (const Run& run : runs) {
        const uint8_t* from = run.operand.data(arguments);
        for (int64_t i = begin; i < end; ++i) {
          std::memcpy(arguments.outputs[0] + static_cast<size_t>(i) * row + at,
                      from + static_cast<size_t>(i) * run.bytes, run.bytes);
        }
        at += run.bytes;
      }
    });
  };
  return loop_kernel(std::move(needs), loop);
}

// Bytes are copied, with the channels last where they lie so and are what is put together.
KernelResult make_concat_of_bytes(const KernelRequest& request) {
  const Layout layout = layout_of(request);
  int64_t axis = request.node.attributes.integer("axis", 0);
  if (axis < 0) axis += request.output_shape().rank();
  const bool last = layout == Layout::kChannelsLast && axis == 1;
  return make_copying(request, axis, last ? layout : Layout::kRowMajor);
}

KernelResult make_concat(const KernelRequest& request) {
  const Layout layout = layout_of(request);
  int64_t axis = request.node.attributes.integer("axis", 0);
  if (axis < 0) axis += request.output_shape().rank();
  const bool dense = layout == Layout::kRowMajor || (layout == Layout::kChannelsLast && axis == 1);
  const bool small = TRY(request.output_shape().byte_size(ElementType::kFloat32)) <= kCachedBytes;
  if (dense && (small || request.fixed)) {
    auto made = make_copying(request, axis, layout);
    if (made || request.fixed) return made;
  }
  if (request.fixed) return Error{Code::kUnsupported, "its loops are generated"};
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
  if (dense && reference(description)) {
    if (auto made = make_copying(request, axis, layout)) return made;
  }
  arguments.push_back(DnnlArgument::output(DNNL_ARG_DST, target));
  return dnnl_kernel<dnnl::concat>(std::move(needs), description, std::move(arguments));
}

}  // namespace

void register_concat(Registry& registry) {
  registry.add("Concat", ElementType::kFloat32, Device::kCpu, make_concat);
  registry.add("Concat", ElementType::kUint8, Device::kCpu, make_concat_of_bytes);
  registry.add("Concat", ElementType::kInt8, Device::kCpu, make_concat_of_bytes);
}

}  // namespace casemate::engine
