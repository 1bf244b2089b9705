// SPDX-License-Identifier: Apache-2.0
// Operators that move elements and compute nothing.
#include <algorithm>
#include <map>

#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {
namespace {

using engine::Steps;
using engine::ValueId;

std::string moved_type(ElementType type) {
  switch (size_of(type)) {
    case 1:
      return "#define X uchar\n";
    case 2:
      return "#define X ushort\n";
    case 4:
      return "#define X uint\n";
    default:
      return "#define X ulong\n";
  }
}

void launch_move(Lowering& l, ValueId from, ValueId to, const RecipeGrid& grid) {
  l.launch({.source = &kMovementSource,
            .defines = moved_type(l.type(to)),
            .kernel = "move",
            .items = {static_cast<uint64_t>(grid.columns), rows_of(grid)},
            .arguments = {from, to, grid}});
}

// Requires: the shape has elements.
Status move_box(Lowering& l, ValueId from, ValueId to, const engine::Box& box) {
  if (!engine::inside(box, l.shape(from), l.shape(to)))
    return l.refused("it would move what is not there");
  if (std::ranges::contains(box.shape.dims(), 0)) return {};
  const std::array<Steps, 2> steps = {box.write, box.read};
  RecipeGrid grid = folded_grid(box.shape, steps);
  grid.first = {static_cast<int32_t>(box.to), static_cast<int32_t>(box.from), 0, 0};
  launch_move(l, from, to, grid);
  return {};
}

Status same_types(const Lowering& l, ValueId a, ValueId b) {
  if (l.type(a) == l.type(b)) return {};
  return l.refused("its operands are of different types");
}

Status lower_same(Lowering& l) {
  TRY(l.plain());
  TRY(same_types(l, l.node.inputs[0], l.node.output()));
  if (l.node.raw) return l.refused("its shape is not known when it is compiled");
  if (l.count(l.node.inputs[0]) != l.count(l.node.output()))
    return l.refused("its result has another number of elements");
  l.recipe.same_bytes = true;
  return {};
}

bool permutation(std::vector<int64_t> order, uint32_t rank) {
  std::ranges::sort(order);
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<int64_t>(i)) return false;
  }
  return order.size() == rank;
}

Status lower_box(Lowering& l) {
  TRY(l.plain());
  TRY(same_types(l, l.node.inputs[0], l.node.output()));
  if (l.node.raw) return l.refused("where its elements go is not known when it is compiled");
  if (l.count(l.node.output()) == 0) return {};
  if (l.node.op == "Transpose" && !permutation(l.node.attributes.integers("perm"), l.in(0).rank()))
    return l.refused("its order of dimensions is none");
  const auto box = engine::box_of(l.node, l.in(0), l.out());
  if (!box) return l.refused("its operands do not fit");
  if (l.node.op == "Pad") {
    const ValueId fill = l.node.input(1);
    if (!fill.present() || l.count(fill) != 1) return l.refused("it pads with no single element");
    TRY(same_types(l, fill, l.node.output()));
    const std::array<Shape, 2> all = {l.out(), Shape{}};
    launch_move(l, fill, l.node.output(), TRY(grid_of(l, l.out(), all)));
  }
  return move_box(l, l.node.inputs[0], l.node.output(), *box);
}

// The axis that the attribute names.
Result<size_t> axis_in(const Lowering& l, const Shape& shape, int64_t otherwise) {
  int64_t axis = l.node.attributes.integer("axis", otherwise);
  if (axis < 0) axis += shape.rank();
  if (axis < 0 || axis >= shape.rank()) return l.refused("it has no such axis");
  return static_cast<size_t>(axis);
}

// Parts of a whole that follow each other along an axis, to it or from it.
Status move_parts(Lowering& l, ValueId whole, std::span<const ValueId> parts, size_t axis,
                  bool join) {
  const Shape& all = l.shape(whole);
  const Steps steps = engine::dense_steps(all);
  int64_t at = 0;
  for (const ValueId part : parts) {
    if (!part.present()) return l.refused("a part of it is left out");
    TRY(same_types(l, whole, part));
    const Shape& shape = l.shape(part);
    if (shape.rank() != all.rank()) return l.refused("its parts have different ranks");
    const Steps own = engine::dense_steps(shape);
    engine::Box box{.shape = shape};
    (join ? box.to : box.from) = at * steps[axis];
    box.write = join ? steps : own;
    box.read = join ? own : steps;
    at += shape[axis];
    if (at > all[axis]) return l.refused("its parts are longer than the whole");
    if (l.count(part) == 0) continue;
    TRY(move_box(l, join ? part : whole, join ? whole : part, box));
  }
  if (at != all[axis]) return l.refused("its parts are shorter than the whole");
  return {};
}

Status lower_concat(Lowering& l) {
  TRY(l.plain());
  const size_t axis = TRY(axis_in(l, l.out(), 1));
  return move_parts(l, l.node.output(), l.node.inputs, axis, true);
}

Status lower_split(Lowering& l) {
  TRY(l.plain());
  const size_t axis = TRY(axis_in(l, l.in(0), 0));
  return move_parts(l, l.node.inputs[0], l.node.outputs, axis, false);
}

Status lower_where(Lowering& l) {
  TRY(l.plain());
  if (l.node.inputs.size() != 3 || l.type(l.node.inputs[0]) != ElementType::kBool)
    return l.refused("its condition is no bool");
  TRY(same_types(l, l.node.inputs[1], l.node.output()));
  TRY(same_types(l, l.node.inputs[2], l.node.output()));
  const std::array<Shape, 4> operands = {l.out(), l.in(0), l.in(1), l.in(2)};
  const RecipeGrid grid = TRY(grid_of(l, l.out(), operands));
  if (l.count(l.node.output()) == 0) return {};
  l.launch(
      {.source = &kMovementSource,
       .defines = moved_type(l.type(l.node.output())),
       .kernel = "choose",
       .items = {static_cast<uint64_t>(grid.columns), rows_of(grid)},
       .arguments = {l.node.inputs[0], l.node.inputs[1], l.node.inputs[2], l.node.output(), grid}});
  return {};
}

Status lower_gather(Lowering& l) {
  TRY(l.plain());
  TRY(same_types(l, l.node.inputs[0], l.node.output()));
  const ElementType index = l.type(l.node.inputs[1]);
  if (index != ElementType::kInt64 && index != ElementType::kInt32)
    return l.refused("its indices are no whole numbers");
  const size_t axis = TRY(axis_in(l, l.in(0), 0));
  const int64_t extent = l.in(0)[axis];
  uint64_t outer = 1;
  uint64_t run = 1;
  for (uint32_t i = 0; i < l.in(0).rank(); ++i) {
    if (i < axis) outer *= static_cast<uint64_t>(l.in(0)[i]);
    if (i > axis) run *= static_cast<uint64_t>(l.in(0)[i]);
  }
  const int32_t count = l.count(l.node.inputs[1]);
  if (outer * run * static_cast<uint64_t>(count) != static_cast<uint64_t>(l.count(l.node.output())))
    return l.refused("its result has another shape");
  if (extent == 0 && count > 0) return l.refused("it picks from nothing");
  l.recipe.checks = true;
  l.launch(
      {.source = &kMovementSource,
       .defines = moved_type(l.type(l.node.output())) +
                  (index == ElementType::kInt64 ? "#define INDEX long\n" : "#define INDEX int\n"),
       .kernel = "gather",
       .items = {run, outer * static_cast<uint64_t>(count)},
       .arguments = {l.node.inputs[0], l.node.inputs[1], l.node.output(), RecipeFlag{},
                     static_cast<int32_t>(run), count, static_cast<int32_t>(extent)}});
  return {};
}

}  // namespace

Lower find_movement_recipe(std::string_view op) {
  static const std::map<std::string_view, Lower> kForms = {
      {"Concat", lower_concat}, {"Expand", lower_box},  {"Gather", lower_gather},
      {"Identity", lower_same}, {"Pad", lower_box},     {"Reshape", lower_same},
      {"Slice", lower_box},     {"Split", lower_split}, {"Transpose", lower_box},
      {"Where", lower_where},
  };
  const auto found = kForms.find(op);
  return found == kForms.end() ? nullptr : found->second;
}

}  // namespace casemate::driver
