// SPDX-License-Identifier: Apache-2.0
// Tensors that come from attributes and a few numbers: constants, fillings, diagonals, ranges.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/type_attribute.h"

namespace casemate::engine {
namespace {

// A tensor of rank 1.
template <class T>
Tensor row(const std::vector<T>& values) {
  return Tensor::of<T>({static_cast<int64_t>(values.size())}, std::span<const T>(values));
}

// One of the attributes gives the value, in the order of the schema.
Status compute_constant(Computation& c) {
  const Attributes& a = c.attributes();
  if (const Tensor* value = a.tensor("value")) return c.give(0, *value);
  if (a.has("value_float")) return c.give(0, Tensor::of<float>({}, {a.real("value_float", 0)}));
  if (a.has("value_floats")) return c.give(0, row(a.reals("value_floats")));
  if (a.has("value_int")) return c.give(0, Tensor::of<int64_t>({}, {a.integer("value_int", 0)}));
  if (a.has("value_ints")) return c.give(0, row(a.integers("value_ints")));
  if (a.has("value_string"))
    return c.give(0, TRY(Tensor::make(Shape{}, {a.text("value_string", "")})));
  if (a.has("value_strings")) {
    std::vector<std::string> texts = a.texts("value_strings");
    const Shape shape{static_cast<int64_t>(texts.size())};
    return c.give(0, TRY(Tensor::make(shape, std::move(texts))));
  }
  return Error{Code::kInvalid, "it has no attribute that gives its value"};
}

Status compute_constant_of_shape(Computation& c) {
  // Before it is read: a shape has few extents, a tensor may have any number of elements.
  const Shape& given = c.shape(0);
  if (given.rank() != 1 || given[0] > int64_t{limits::kRank}) {
    return Error{Code::kInvalid,
                 formatted("its input has the shape {}, it takes a list of at most {} extents",
                           given.text(), limits::kRank)};
  }
  const Shape shape = TRY(shape_of(TRY(c.integers(0))));
  const Tensor* value = c.attributes().tensor("value");
  if (value != nullptr && value->count() != 1) {
    return Error{Code::kInvalid,
                 formatted("its value has {} elements, it takes one", value->count())};
  }
  const ElementType type = value == nullptr ? ElementType::kFloat32 : value->type();
  return for_type(NumbersAndBool{}, type, [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, shape));
    Stored<T> element{};
    if (value != nullptr) std::memcpy(&element, value->bytes().data(), sizeof element);
    std::ranges::fill(y, static_cast<T>(element));
    return {};
  });
}

// Ones at [i, i + k].
Status compute_eye_like(Computation& c) {
  const Shape& shape = c.shape(0);
  if (shape.rank() != 2) {
    return Error{Code::kInvalid,
                 formatted("its input has the shape {}, it takes a matrix", shape.text())};
  }
  const ElementType type = TRY(type_attribute(c, "dtype", c.type(0)));
  const int64_t k = c.attributes().integer("k", 0);
  return for_type(NumbersAndBool{}, type, [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, shape));
    std::ranges::fill(y, T{});
    if (k >= shape[1] || k <= -shape[0]) return {};
    const int64_t last = std::min(shape[0], shape[1] - k);
    for (int64_t i = std::max<int64_t>(0, -k); i < last; ++i)
      y[static_cast<size_t>(i * shape[1] + i + k)] = static_cast<T>(1);
    return {};
  });
}

// How many numbers there are from start to before limit. Fails when they do not end, or are more
// than can be counted.
Result<int64_t> range_count(double start, double limit, double delta) {
  const double count = std::ceil((limit - start) / delta);
  if (count <= 0) return 0;
  if (count < 0x1p62) return static_cast<int64_t>(count);
  return Error{Code::kTooLarge,
               formatted("from {} to {} in steps of {} are too many numbers", start, limit, delta)};
}

Result<int64_t> range_count(int64_t start, int64_t limit, int64_t delta) {
  const bool up = delta > 0;
  if (up ? start >= limit : start <= limit) return 0;
  // Differences of 64-bit integers need 64 bits without a sign.
  const uint64_t from = static_cast<uint64_t>(up ? start : limit);
  const uint64_t distance = static_cast<uint64_t>(up ? limit : start) - from;
  const uint64_t step = up ? static_cast<uint64_t>(delta) : 0 - static_cast<uint64_t>(delta);
  const uint64_t count = distance / step + (distance % step != 0 ? 1 : 0);
  if (count < 1ull << 62) return static_cast<int64_t>(count);
  return Error{Code::kTooLarge,
               formatted("from {} to {} in steps of {} are too many numbers", start, limit, delta)};
}

// Floats are counted and computed in double, as in the reference, which rounds each of them once.
Status compute_range(Computation& c) {
  return for_type(Numbers{}, c.type(0), [&]<class T>() -> Status {
    using W = std::conditional_t<kFloating<T>, double, int64_t>;
    const auto start = static_cast<W>(widened(TRY(only_element<T>(c, 0))));
    const auto limit = static_cast<W>(widened(TRY(only_element<T>(c, 1))));
    const auto delta = static_cast<W>(widened(TRY(only_element<T>(c, 2))));
    if (delta == 0) return Error{Code::kInvalid, "its delta is 0"};
    const auto y = TRY(c.make<T>(0, {TRY(range_count(start, limit, delta))}));
    for (size_t i = 0; i < y.size(); ++i) {
      if constexpr (kFloating<T>) {
        y[i] = static_cast<T>(start + static_cast<double>(i) * delta);
      } else {
        y[i] = static_cast<T>(static_cast<uint64_t>(start) + i * static_cast<uint64_t>(delta));
      }
    }
    return {};
  });
}

}  // namespace

void add_constants(Operators& operators) {
  operators.add("Constant", compute_constant);
  operators.add("ConstantOfShape", compute_constant_of_shape);
  operators.add("EyeLike", compute_eye_like);
  operators.add("Range", compute_range);
}

}  // namespace casemate::engine
