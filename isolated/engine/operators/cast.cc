// SPDX-License-Identifier: Apache-2.0
// Changes of element type: between numbers see converted(), between numbers and text number_text.h.
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/number_text.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/type_attribute.h"

namespace casemate::engine {
namespace {

// An element as its own type: a byte of a bool becomes true or false.
template <class T>
T element(Stored<T> x) {
  if constexpr (std::is_same_v<T, bool>) {
    return x != 0;
  } else {
    return x;
  }
}

template <class From, class To>
Status cast_numbers(Computation& c) {
  const auto y = TRY(c.make<To>(0, c.shape(0)));
  const auto x = TRY(stored<From>(c, 0));
  for (size_t i = 0; i < x.size(); ++i) y[i] = converted<To>(element<From>(x[i]));
  return {};
}

// No number takes more than 32 characters.
template <class From>
Status write_texts(Computation& c) {
  TRY(allow_texts(c, c.shape(0), 32));
  const auto y = TRY(c.make<std::string>(0, c.shape(0)));
  const auto x = TRY(stored<From>(c, 0));
  for (size_t i = 0; i < x.size(); ++i) y[i] = number_text(element<From>(x[i]));
  return {};
}

template <class To>
Status read_texts(Computation& c) {
  const auto y = TRY(c.make<To>(0, c.shape(0)));
  const auto x = TRY(c.values<std::string>(0));
  for (size_t i = 0; i < x.size(); ++i) y[i] = TRY(number_from<To>(x[i]));
  return {};
}

Status cast_to(Computation& c, ElementType to) {
  const ElementType from = c.type(0);
  if (c.has(0) && to == from) return c.give_reshaped(0, 0, c.shape(0));
  if (to == ElementType::kString) {
    return for_type(NumbersAndBool{}, from, [&]<class From>() { return write_texts<From>(c); });
  }
  if (from == ElementType::kString) {
    return for_type(NumbersAndBool{}, to, [&]<class To>() { return read_texts<To>(c); });
  }
  return for_type(NumbersAndBool{}, from, [&]<class From>() {
    return for_type(NumbersAndBool{}, to, [&]<class To>() { return cast_numbers<From, To>(c); });
  });
}

Status compute_cast(Computation& c) {
  const ElementType to = TRY(type_attribute(c, "to", ElementType::kNone));
  if (to == ElementType::kNone) return Error{Code::kInvalid, "it has no attribute 'to'"};
  return cast_to(c, to);
}

Status compute_cast_like(Computation& c) {
  if (c.type(1) == ElementType::kNone)
    return Error{Code::kInvalid, "its input 1, which gives the type, is no tensor"};
  return cast_to(c, c.type(1));
}

}  // namespace

void add_cast(Operators& operators) {
  operators.add("Cast", compute_cast);
  operators.add("CastLike", compute_cast_like);
}

}  // namespace casemate::engine
