// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lowering: a node on its way to a recipe. One file for each family of operators.
//
//   Owns     the recipe.
//   Threads  one.
//   Trust    as recipe.h.
//   Fails    as recipe.h.

#include <limits>

#include "base/format.h"
#include "isolated/driver/opencl/device/recipe.h"
#include "isolated/engine/graph/box.h"

namespace casemate::driver {

// Kernels count elements with 32 bits, and a few more, since the last group of items is filled up.
inline constexpr uint64_t kKernelCount = std::numeric_limits<int32_t>::max() - 1024;

class Lowering final {
 public:
  Lowering(const engine::Graph& whole, const engine::Node& one) : graph(whole), node(one) {}

  [[nodiscard]] Error refused(std::string_view why) const {
    return {Code::kUnsupported, formatted("node '{}' ({}): {}", node.name, node.op, why)};
  }
  [[nodiscard]] const Shape& shape(engine::ValueId id) const {
    return graph.value(id).shapes.front();
  }
  [[nodiscard]] const Shape& in(size_t i) const { return shape(node.inputs[i]); }
  [[nodiscard]] const Shape& out() const { return shape(node.output()); }
  [[nodiscard]] ElementType type(engine::ValueId id) const { return graph.value(id).type; }
  [[nodiscard]] bool real(size_t input) const {
    return node.input(input).present() && type(node.inputs[input]) == ElementType::kFloat32;
  }
  [[nodiscard]] int32_t count(engine::ValueId id) const {
    return static_cast<int32_t>(*shape(id).element_count());
  }
  void launch(RecipeLaunch launch) {
    if (launch.items[0] > 0 && launch.items[1] > 0) recipe.steps.emplace_back(std::move(launch));
  }
  // Refuses a node whose operands are not all floats, or whose first is of another form.
  Status floats() const;
  // That nothing follows that the node does itself.
  Status plain() const;
  // What follows a result, done in place on it; `channels` with `inner` elements each have a bias
  // in front, if that is there. Fails for what no kernel does.
  Status finish(engine::ValueId bias, int32_t inner, int32_t channels);

  const engine::Graph& graph;
  const engine::Node& node;
  Recipe recipe;
};

// Operands that are read or written as if they had the shape `as`. Fails where one cannot be.
Result<RecipeGrid> grid_of(const Lowering& l, const Shape& as, std::span<const Shape> operands);
// The same by steps for each dimension of `as`.
RecipeGrid folded_grid(const Shape& as, std::span<const engine::Steps> steps);
uint64_t rows_of(const RecipeGrid& grid);

// "f_Clip(v, as_float(0x..u), as_float(0x..u))": what kernels write for an activation; none for an
// operator that is none.
std::optional<std::string> activation_text(const engine::Graph& graph, const engine::Node& node);
std::string activation_text(const engine::PostOp& post);
bool known_activation(std::string_view op);

// By family; none for an operator that is not of it.
using Lower = Status (*)(Lowering& lowering);
Lower find_elementwise(std::string_view op);
Lower find_movement_recipe(std::string_view op);
Lower find_product_recipe(std::string_view op);
Lower find_row_recipe(std::string_view op);
Lower find_window_recipe(std::string_view op);

// The kernels, one file for each source.
extern const KernelSource kElementSource;
extern const KernelSource kMovementSource;
extern const KernelSource kProductSource;
extern const KernelSource kRowSource;
extern const KernelSource kWindowSource;

}  // namespace casemate::driver
