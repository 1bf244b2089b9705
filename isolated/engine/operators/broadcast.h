// SPDX-License-Identifier: Apache-2.0
#pragma once
// Broadcasting: operands of different shapes, read as if they had the shape of the result.
//
// Source: ONNX, docs/Broadcasting.md, and for operator sets before 7 the documentation of Add-1.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    shapes may be any: only what broadcast() and align() let through reaches a loop.
//   Fails    with kInvalid when shapes do not fit each other.

#include "isolated/engine/graph/box.h"
#include "isolated/engine/operators/elements.h"

namespace casemate::engine {

// The shape to which NumPy broadcasts both.
Result<Shape> broadcast(const Shape& a, const Shape& b);

// Two operands and their result. Both shapes can be broadcast to the result's.
struct Aligned {
  Shape a;
  Shape b;
  Shape result;
};

// Inputs 0 and 1 as NumPy aligns them; before operator set 7 as the attributes `broadcast` and
// `axis` of the node say.
Result<Aligned> align(const Computation& c);

// The loops over a result for up to three operands. Neighbouring dimensions that lie in memory as
// one are one, so that rows are as long as can be.
struct Loops {
  Shape shape;
  std::array<Steps, 3> steps{};
  std::array<int64_t, 3> row_steps{};  // along the last dimension; 1, or 0 where it is repeated
};
// Requires: at most three operands, each can be broadcast to `result`.
Loops loops_over(const Shape& result, std::initializer_list<Shape> operands);

// One row of combine_elements().
template <class A, class B, class Y, class Function>
void combine_row(const A* a, bool a_repeats, const B* b, bool b_repeats, std::span<Y> y,
                 Function function) {
  if (!a_repeats && !b_repeats) {
    for (size_t i = 0; i < y.size(); ++i)
      y[i] = narrowed<Y>(function(widened(a[i]), widened(b[i])));
  } else if (!a_repeats) {
    const auto& right = widened(*b);
    for (size_t i = 0; i < y.size(); ++i) y[i] = narrowed<Y>(function(widened(a[i]), right));
  } else if (!b_repeats) {
    const auto& left = widened(*a);
    for (size_t i = 0; i < y.size(); ++i) y[i] = narrowed<Y>(function(left, widened(b[i])));
  } else {
    std::ranges::fill(y, narrowed<Y>(function(widened(*a), widened(*b))));
  }
}

// y = function(a, b) of all elements, which are handed over as Wide<A> and Wide<B>. `y` may be `a`.
// Requires: as many elements as the shapes say.
template <class A, class B, class Y, class Function>
void combine_elements(const Aligned& shapes, const A* a, const B* b, Y* y, Function function) {
  const Loops loops = loops_over(shapes.result, {shapes.a, shapes.b});
  const bool a_repeats = loops.row_steps[0] == 0;
  const bool b_repeats = loops.row_steps[1] == 0;
  for_each_row(loops.shape, loops.steps, [&](const auto& at, int64_t columns) {
    const std::span<Y> row(y, static_cast<size_t>(columns));
    combine_row(a + at[0], a_repeats, b + at[1], b_repeats, row, function);
    y += columns;
  });
}

// Output 0, of elements Y, becomes function(a, b) of inputs 0 and 1, of elements A and B.
template <class A, class B, class Y, class Function>
Status combine(Computation& c, const Aligned& shapes, Function function) {
  const auto y = TRY(c.make<Y>(0, shapes.result));
  const auto a = TRY(stored<A>(c, 0));
  const auto b = TRY(stored<B>(c, 1));
  combine_elements(shapes, a.data(), b.data(), y.data(), function);
  return {};
}

}  // namespace casemate::engine
