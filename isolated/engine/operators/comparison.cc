// SPDX-License-Identifier: Apache-2.0
// Comparisons, what is made of their results, and the choice by them.
#include "isolated/engine/operators/broadcast.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

template <class List, auto function>
Status compute_comparison(Computation& c) {
  const Aligned shapes = TRY(align(c));
  return for_type(List{}, c.type(0),
                  [&]<class T>() -> Status { return combine<T, T, bool>(c, shapes, function); });
}

constexpr auto kEqual = [](const auto& a, const auto& b) { return a == b; };
constexpr auto kGreater = [](auto a, auto b) { return a > b; };
constexpr auto kGreaterOrEqual = [](auto a, auto b) { return a >= b; };
constexpr auto kLess = [](auto a, auto b) { return a < b; };
constexpr auto kLessOrEqual = [](auto a, auto b) { return a <= b; };

// Of bools, which are read as bytes.
constexpr auto kAnd = [](uint8_t a, uint8_t b) { return a != 0 && b != 0; };
constexpr auto kOr = [](uint8_t a, uint8_t b) { return a != 0 || b != 0; };
constexpr auto kXor = [](uint8_t a, uint8_t b) { return (a != 0) != (b != 0); };
constexpr auto kAlike = [](uint8_t a, uint8_t b) { return (a != 0) == (b != 0); };

Status compute_equal(Computation& c) {
  if (c.type(0) == ElementType::kBool) return compute_comparison<Types<bool>, kAlike>(c);
  return compute_comparison<Everything, kEqual>(c);
}

// Where's operands: the condition, and what is chosen from.
struct Choice {
  Loops loops;
  std::span<const uint8_t> condition;

  // Calls `take(a)` or `take(b)` with an index into one of them, for each element of the result.
  template <class TakeA, class TakeB>
  void for_each(TakeA take_a, TakeB take_b) const {
    const auto [step, a_step, b_step] = loops.row_steps;
    for_each_row(loops.shape, loops.steps, [&](const auto& at, int64_t columns) {
      for (int64_t i = 0; i < columns; ++i) {
        if (condition[static_cast<size_t>(at[0] + i * step)] != 0) {
          take_a(static_cast<size_t>(at[1] + i * a_step));
        } else {
          take_b(static_cast<size_t>(at[2] + i * b_step));
        }
      }
    });
  }
};

// How many bytes of text are chosen: a long one may be chosen often.
template <class T>
uint64_t text_bytes(const Choice& choice, std::span<const T> a, std::span<const T> b) {
  uint64_t bytes = 0;
  if constexpr (std::is_same_v<T, std::string>) {
    choice.for_each([&](size_t i) { bytes += a[i].size(); },
                    [&](size_t i) { bytes += b[i].size(); });
  }
  return bytes;
}

Status compute_where(Computation& c) {
  const Shape shape = TRY(broadcast(TRY(broadcast(c.shape(0), c.shape(1))), c.shape(2)));
  return for_type(Everything{}, c.type(1), [&]<class T>() -> Status {
    if (std::is_same_v<T, std::string>) TRY(allow_texts(c, shape, 0));
    const auto made = TRY(c.make<T>(0, shape));
    const auto condition = TRY(stored<bool>(c, 0));
    const auto a = TRY(stored<T>(c, 1));
    const auto b = TRY(stored<T>(c, 2));
    const Choice choice{loops_over(shape, {c.shape(0), c.shape(1), c.shape(2)}), condition};
    TRY(c.allow(text_bytes(choice, a, b)));
    void* start = made.data();
    auto* y = static_cast<Stored<T>*>(start);
    choice.for_each([&](size_t i) { *y++ = a[i]; }, [&](size_t i) { *y++ = b[i]; });
    return {};
  });
}

}  // namespace

void add_comparison(Operators& operators) {
  operators.add("Equal", compute_equal);
  operators.add("Greater", compute_comparison<Numbers, kGreater>);
  operators.add("GreaterOrEqual", compute_comparison<Numbers, kGreaterOrEqual>);
  operators.add("Less", compute_comparison<Numbers, kLess>);
  operators.add("LessOrEqual", compute_comparison<Numbers, kLessOrEqual>);
  operators.add("And", compute_comparison<Types<bool>, kAnd>);
  operators.add("Or", compute_comparison<Types<bool>, kOr>);
  operators.add("Xor", compute_comparison<Types<bool>, kXor>);
  operators.add("Where", compute_where);
}

}  // namespace casemate::engine
