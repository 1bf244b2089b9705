// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/device/recipe.h"

#include <algorithm>

#include "isolated/driver/opencl/device/lowering.h"
#include "isolated/engine/graph/work.h"

namespace casemate::driver {

using engine::Graph;
using engine::Node;
using engine::ValueId;

Status Lowering::floats() const {
  for (const auto* ids : {&node.inputs, &node.outputs}) {
    for (const ValueId id : *ids) {
      if (id.present() && type(id) != ElementType::kFloat32)
        return refused(formatted("it is done for FP32 alone, and there is {}", name_of(type(id))));
    }
  }
  return {};
}

Status Lowering::plain() const {
  if (node.post_ops.empty()) return {};
  return refused("nothing is fused behind this operator");
}

Status Lowering::finish(ValueId bias, int32_t inner, int32_t channels) {
  if (!bias.present() && node.post_ops.empty()) return {};
  const ValueId y = node.output();
  std::string text;
  std::vector<RecipeArgument> arguments = {y, count(y), inner, channels, bias.present() ? bias : y};
  if (bias.present()) text += "v += bias[(i / inner) % channels]; ";
  size_t sums = 0;
  for (const engine::PostOp& post : node.post_ops) {
    if (post.op != "Add") {
      if (!known_activation(post.op)) return refused(formatted("{} is fused behind it", post.op));
      text += formatted("v = {}; ", activation_text(post));
      continue;
    }
    if (++sums > 2) return refused("more than two values are added to its result");
    const ValueId other = node.input(static_cast<size_t>(post.operand));
    const int32_t others = count(other);
    const bool row = out().rank() > 0 && others == out()[out().rank() - 1];
    if (others != count(y) && !row) return refused("what is added to its result has no such shape");
    text += formatted("v += e{}[i % {}]; ", sums - 1, others);
    arguments.emplace_back(other);
  }
  while (arguments.size() < 7) arguments.emplace_back(y);
  launch({.source = &kElementSource,
          .defines = "#define FINISH " + text + "\n",
          .kernel = "finish",
          .items = {static_cast<uint64_t>(count(y)), 1},
          .arguments = std::move(arguments)});
  return {};
}

namespace {

Status countable(const Lowering& l) {
  for (const auto* ids : {&l.node.inputs, &l.node.outputs}) {
    for (const ValueId id : *ids) {
      if (!id.present()) continue;
      const ElementType type = l.type(id);
      if (type == ElementType::kString || type == ElementType::kNone)
        return l.refused("text does not lie in a device's memory");
      const auto count = l.shape(id).element_count();
      if (!count || *count > kKernelCount)
        return l.refused("it has more elements than kernels count");
    }
  }
  return {};
}

}  // namespace

Result<RecipeGrid> grid_of(const Lowering& l, const Shape& as, std::span<const Shape> operands) {
  std::array<engine::Steps, RecipeGrid::kOperands> steps{};
  for (size_t k = 0; k < operands.size(); ++k) {
    if (!engine::broadcastable(operands[k], as))
      return l.refused(formatted("{} does not fit {}", operands[k].text(), as.text()));
    steps[k] = engine::broadcast_steps(operands[k], as);
  }
  return folded_grid(as, std::span(steps).first(operands.size()));
}

RecipeGrid folded_grid(const Shape& as, std::span<const engine::Steps> steps) {
  // Dimensions through which all operands go on as through one are one.
  std::vector<int64_t> extents;
  std::vector<std::array<int64_t, RecipeGrid::kOperands>> each;
  for (uint32_t d = 0; d < as.rank(); ++d) {
    if (as[d] == 1) continue;
    std::array<int64_t, RecipeGrid::kOperands> now{};
    for (size_t k = 0; k < steps.size(); ++k) now[k] = steps[k][d];
    bool on = !extents.empty();
    for (size_t k = 0; on && k < steps.size(); ++k) on = each.back()[k] == now[k] * as[d];
    if (on) {
      extents.back() *= as[d];
      each.back() = now;
    } else {
      extents.push_back(as[d]);
      each.push_back(now);
    }
  }
  RecipeGrid grid;
  for (size_t d = 0; d < extents.size(); ++d) {
    const bool last = d + 1 == extents.size();
    if (last) grid.columns = static_cast<int32_t>(extents[d]);
    if (!last) grid.extent[d] = static_cast<int32_t>(extents[d]);
    for (size_t k = 0; k < steps.size(); ++k)
      (last ? grid.column_step[k] : grid.step[k][d]) = static_cast<int32_t>(each[d][k]);
  }
  grid.rank = static_cast<int32_t>(extents.empty() ? 0 : extents.size() - 1);
  return grid;
}

uint64_t rows_of(const RecipeGrid& grid) {
  uint64_t rows = 1;
  for (int32_t d = 0; d < grid.rank; ++d)
    rows *= static_cast<uint64_t>(grid.extent[static_cast<size_t>(d)]);
  return rows;
}

Result<Recipe> recipe_of(const Graph& graph, const Node& node) {
  Lowering l(graph, node);
  if (node.outputs.empty() || !node.output().present()) return l.refused("it makes nothing");
  for (const auto find : {find_elementwise, find_movement_recipe, find_product_recipe,
                          find_row_recipe, find_window_recipe}) {
    const Lower lower = find(node.op);
    if (lower == nullptr) continue;
    TRY(countable(l));
    TRY(lower(l));
    l.recipe.operations = engine::operation_count(graph, node, 0);
    return std::move(l.recipe);
  }
  return l.refused("there is no kernel for this operator");
}

}  // namespace casemate::driver
