// SPDX-License-Identifier: Apache-2.0
// Matrix products: CLBlast's, and our own where there are few rows.
#include <algorithm>

#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {
namespace {

using engine::ValueId;

// Below this, bringing the right side into CLBlast's order takes longer than the product.
constexpr uint64_t kFewRows = 4;
constexpr uint64_t kProductsMax = 4096;

void push_product(Lowering& l, const RecipeProduct& p) {
  if (p.m > kFewRows) {
    l.recipe.steps.emplace_back(p);
    return;
  }
  const auto number = [](uint64_t n) { return static_cast<int32_t>(n); };
  const uint64_t row = p.transposes_a ? 1 : p.a.pitch;
  const uint64_t step = p.transposes_a ? p.a.pitch : 1;
  l.launch({.source = &kProductSource,
            .kernel = p.transposes_b ? "few_rows_turned" : "few_rows",
            .items = {p.transposes_b ? p.n : (p.n + 7) / 8, p.m},
            .arguments = {p.a.place, number(p.a.offset), number(row), number(step), p.b.place,
                          number(p.b.offset), number(p.b.pitch), p.c.place, number(p.c.offset),
                          number(p.c.pitch), number(p.n), number(p.k), int32_t{p.adds}}});
}

uint64_t extent(const Shape& shape, uint32_t axis) { return static_cast<uint64_t>(shape[axis]); }

Status lower_gemm(Lowering& l) {
  TRY(l.floats());
  if (l.node.raw) return l.refused("its scalars are not in its operands");
  const Shape& a = l.in(0);
  const Shape& b = l.in(1);
  const Shape& c = l.out();
  RecipeProduct p{.transposes_a = l.node.attributes.integer("transA", 0) != 0,
                  .transposes_b = l.node.attributes.integer("transB", 0) != 0};
  if (a.rank() != 2 || b.rank() != 2 || c.rank() != 2) return l.refused("it has no two dimensions");
  p.m = extent(c, 0);
  p.n = extent(c, 1);
  p.k = extent(a, p.transposes_a ? 0 : 1);
  const bool fits = extent(a, p.transposes_a ? 1 : 0) == p.m &&
                    extent(b, p.transposes_b ? 0 : 1) == p.n &&
                    extent(b, p.transposes_b ? 1 : 0) == p.k;
  if (!fits) return l.refused("its operands do not fit");
  if (p.m == 0 || p.n == 0 || p.k == 0) return l.refused("it is a product of nothing");
  p.a = {l.node.inputs[0], 0, extent(a, 1)};
  p.b = {l.node.inputs[1], 0, extent(b, 1)};
  p.c = {l.node.output(), 0, p.n};
  const ValueId bias = l.node.input(2);
  const bool row = bias.present() && static_cast<uint64_t>(l.count(bias)) == p.n &&
                   (l.shape(bias).rank() == 1 || l.shape(bias) == Shape{1, c[1]});
  if (bias.present() && !row) {
    const std::array<Shape, 2> operands = {c, l.shape(bias)};
    const RecipeGrid grid = TRY(grid_of(l, c, operands));
    l.launch({.source = &kMovementSource,
              .defines = "#define X uint\n",
              .kernel = "move",
              .items = {static_cast<uint64_t>(grid.columns), rows_of(grid)},
              .arguments = {bias, l.node.output(), grid}});
    p.adds = true;
  }
  push_product(l, p);
  return l.finish(row ? bias : ValueId{}, 1, static_cast<int32_t>(p.n));
}

// The matrices of a product as NumPy's matmul sees them: rows and columns last, a vector as one.
struct Stack {
  Shape outer;
  uint64_t rows = 1;
  uint64_t columns = 1;
};

Stack stack_of(const Shape& shape, bool left) {
  const uint32_t rank = shape.rank();
  if (rank == 1) return left ? Stack{{}, 1, extent(shape, 0)} : Stack{{}, extent(shape, 0), 1};
  return {Shape(shape.dims().first(rank - 2)), extent(shape, rank - 2), extent(shape, rank - 1)};
}

bool all_ones(const Shape& shape) {
  return std::ranges::all_of(shape.dims(), [](int64_t d) { return d == 1; });
}

Status lower_matmul(Lowering& l) {
  TRY(l.floats());
  if (l.in(0).rank() == 0 || l.in(1).rank() == 0) return l.refused("an operand is no matrix");
  Stack a = stack_of(l.in(0), true);
  const Stack b = stack_of(l.in(1), false);
  Shape outer(l.out().dims().first(
      l.out().rank() -
      std::min(l.out().rank(), (l.in(0).rank() > 1 ? 1U : 0U) + (l.in(1).rank() > 1 ? 1U : 0U))));
  uint64_t count = TRY(outer.element_count());
  if (a.columns != b.rows || count * a.rows * b.columns == 0 || a.columns == 0 ||
      count * a.rows * b.columns != static_cast<uint64_t>(l.count(l.node.output())) ||
      !engine::broadcastable(a.outer, outer) || !engine::broadcastable(b.outer, outer))
    return l.refused("its operands do not fit, or are nothing");
  if (all_ones(b.outer) && a.outer == outer) {  // all rows of the left side at once
    a.rows *= count;
    a.outer = outer = Shape{};
    count = 1;
  }
  if (count > kProductsMax) return l.refused("it is more products than a device is given at once");
  const engine::Steps from_a = engine::broadcast_steps(a.outer, outer);
  const engine::Steps from_b = engine::broadcast_steps(b.outer, outer);
  RecipeProduct p{.m = a.rows, .n = b.columns, .k = a.columns};
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t at_a = 0;
    uint64_t at_b = 0;
    uint64_t rest = i;
    for (uint32_t d = outer.rank(); d-- > 0;) {
      at_a += rest % extent(outer, d) * static_cast<uint64_t>(from_a[d]);
      at_b += rest % extent(outer, d) * static_cast<uint64_t>(from_b[d]);
      rest /= extent(outer, d);
    }
    p.a = {l.node.inputs[0], at_a * p.m * p.k, p.k};
    p.b = {l.node.inputs[1], at_b * p.k * p.n, p.n};
    p.c = {l.node.output(), i * p.m * p.n, p.n};
    push_product(l, p);
  }
  return l.finish({}, 1, 1);
}

}  // namespace

Lower find_product_recipe(std::string_view op) {
  if (op == "Gemm") return lower_gemm;
  return op == "MatMul" ? lower_matmul : nullptr;
}

}  // namespace casemate::driver
