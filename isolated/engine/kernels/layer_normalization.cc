// SPDX-License-Identifier: Apache-2.0
// LayerNormalization (Ba, Kiros and Hinton 2016) over the last dimensions of an FP32 value.
#include <algorithm>

#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/kernels/vector_loops.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Rows for one thread at a time: fewer would be done before it has woken up.
constexpr int64_t kRowsPerPiece = 16;

// Whether the operand has one element for each of the last `columns`, and nothing else.
bool one_row(const Shape& shape, int64_t columns, size_t dimensions) {
  int64_t count = 1;
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    if (i + dimensions < shape.rank() && shape[i] != 1) return false;
    count *= shape[i];
  }
  return count == columns;
}

KernelResult make_layer_normalization(const KernelRequest& request) {
  const Node& node = request.node;
  const Shape& shape = request.input_shape(0);
  int64_t axis = node.attributes.integer("axis", -1);
  if (axis < 0) axis += shape.rank();
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i].present())
      return Error{Code::kUnsupported, "its statistics are results, too"};
  }
  RowNormalization given{};
  given.rows = 1;
  given.columns = 1;
  for (uint32_t i = 0; i < shape.rank(); ++i) (i < axis ? given.rows : given.columns) *= shape[i];
  given.epsilon = node.attributes.real("epsilon", 1e-5F);
  const bool shifted = node.input(2).present();
  const auto dimensions = static_cast<size_t>(shape.rank() - axis);
  if (!one_row(request.input_shape(1), given.columns, dimensions) ||
      (shifted && !one_row(request.input_shape(2), given.columns, dimensions)) ||
      given.columns == 0) {
    return Error{Code::kUnsupported, "its scale or bias is more than one row"};
  }
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  const LoopOperand x = TRY(loop_operand(request, 0, needs));
  const LoopOperand scale = TRY(loop_operand(request, 1, needs));
  const LoopOperand shift = shifted ? TRY(loop_operand(request, 2, needs)) : LoopOperand{};
  needs.may_overwrite = {0};
  needs.implementation = vector_loops().name;
  const auto loop = [=](const KernelArguments& arguments) {
    RowNormalization all = given;
    all.x = elements<float>(x.data(arguments));
    all.scale = elements<float>(scale.data(arguments));
    all.shift = shifted ? elements<float>(shift.data(arguments)) : nullptr;
    all.y = elements<float>(arguments.outputs[0]);
    const int64_t pieces = (all.rows + kRowsPerPiece - 1) / kRowsPerPiece;
    parallel_for(pieces, [&](int64_t piece, int) {
      RowNormalization part = all;
      part.rows = std::min(kRowsPerPiece, all.rows - piece * kRowsPerPiece);
      part.x += piece * kRowsPerPiece * all.columns;
      part.y += piece * kRowsPerPiece * all.columns;
      vector_loops().normalize_rows(part);
    });
  };
  return loop_kernel(std::move(needs), loop);
}

}  // namespace

void register_layer_normalization(Registry& registry) {
  registry.add("LayerNormalization", ElementType::kFloat32, Device::kCpu, make_layer_normalization);
}

}  // namespace casemate::engine
