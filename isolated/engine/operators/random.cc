// SPDX-License-Identifier: Apache-2.0
// Operators that draw random numbers, in row-major order, from the generator of generator.h.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/generator.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/type_attribute.h"

namespace casemate::engine {
namespace {

// Fills output 0 with numbers of that distribution, moved and stretched.
template <auto draw>
Status fill(Computation& c, ElementType type, const Shape& shape, float scale, float offset) {
  return for_type(Floats{}, type, [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, shape));
    Generator generator(c.node());
    for (T& element : y) {
      const auto drawn = static_cast<Wide<T>>((generator.*draw)());
      element = static_cast<T>(drawn * static_cast<Wide<T>>(scale) + static_cast<Wide<T>>(offset));
    }
    return {};
  });
}

Status fill_normal(Computation& c, ElementType type, const Shape& shape) {
  const float scale = c.attributes().real("scale", 1);
  return fill<&Generator::normal>(c, type, shape, scale, c.attributes().real("mean", 0));
}

Status fill_uniform(Computation& c, ElementType type, const Shape& shape) {
  const float low = c.attributes().real("low", 0);
  const float high = c.attributes().real("high", 1);
  return fill<&Generator::uniform>(c, type, shape, high - low, low);
}

using Fill = Status (*)(Computation&, ElementType, const Shape&);

template <Fill fill_with>
Status compute_random(Computation& c) {
  const Shape shape = TRY(shape_of(c.attributes().integers("shape")));
  return fill_with(c, TRY(type_attribute(c, "dtype", ElementType::kFloat32)), shape);
}

template <Fill fill_with>
Status compute_random_like(Computation& c) {
  return fill_with(c, TRY(type_attribute(c, "dtype", c.type(0))), c.shape(0));
}

Status compute_bernoulli(Computation& c) {
  const ElementType type = TRY(type_attribute(c, "dtype", c.type(0)));
  return for_type(Floats{}, c.type(0), [&]<class X>() {
    return for_type(NumbersAndBool{}, type, [&]<class Y>() -> Status {
      const auto y = TRY(c.make<Y>(0, c.shape(0)));
      const auto x = TRY(c.values<X>(0));
      Generator generator(c.node());
      for (size_t i = 0; i < x.size(); ++i)
        y[i] = static_cast<Y>(generator.uniform() < static_cast<double>(widened(x[i])) ? 1 : 0);
      return {};
    });
  });
}

// From logarithms of weights, of any scale, to the sums of the weights up to each. NaN weighs
// nothing. The largest weight is 1, which keeps the sums finite.
template <class T>
void accumulate_weights(std::span<const T> logarithms, std::span<double> sums) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const T x : logarithms) largest = std::max(largest, static_cast<double>(widened(x)));
  double sum = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto x = static_cast<double>(widened(logarithms[i]));
    if (x == largest) {
      sum += 1;
    } else if (!std::isnan(x)) {
      sum += std::exp(x - largest);
    }
    sums[i] = sum;
  }
}

template <class X, class Y>
Status sample(Computation& c, int64_t sample_count) {
  const Shape& shape = c.shape(0);
  if (shape.rank() != 2 || shape[1] < 1 || shape[1] > INT32_MAX) {
    return Error{Code::kInvalid,
                 formatted("its input has the shape {}, it takes [batch, classes]", shape.text())};
  }
  const auto y = TRY(c.make<Y>(0, {shape[0], sample_count}));
  const auto x = TRY(c.values<X>(0));
  const auto classes = static_cast<size_t>(shape[1]);
  std::vector<double> sums(x.empty() ? 0 : classes);
  Generator generator(c.node());
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t row = i / static_cast<size_t>(sample_count);
    if (i % static_cast<size_t>(sample_count) == 0)
      accumulate_weights(x.subspan(row * classes, classes), std::span(sums));
    const auto above = std::ranges::upper_bound(sums, generator.uniform() * sums.back());
    const auto found = std::min<ptrdiff_t>(above - sums.begin(), shape[1] - 1);
    y[i] = static_cast<Y>(found);
  }
  return {};
}

Status compute_multinomial(Computation& c) {
  const int64_t sample_count = c.attributes().integer("sample_size", 1);
  if (sample_count < 1) {
    return Error{Code::kInvalid,
                 formatted("its sample_size is {}, it takes 1 or more", sample_count)};
  }
  const ElementType type = TRY(type_attribute(c, "dtype", ElementType::kInt32));
  return for_type(Floats{}, c.type(0), [&]<class X>() {
    return for_type(Types<int32_t, int64_t>{}, type,
                    [&]<class Y>() { return sample<X, Y>(c, sample_count); });
  });
}

}  // namespace

void add_random(Operators& operators) {
  operators.add("RandomNormal", compute_random<fill_normal>);
  operators.add("RandomNormalLike", compute_random_like<fill_normal>);
  operators.add("RandomUniform", compute_random<fill_uniform>);
  operators.add("RandomUniformLike", compute_random_like<fill_uniform>);
  operators.add("Bernoulli", compute_bernoulli);
  operators.add("Multinomial", compute_multinomial);
}

}  // namespace casemate::engine
