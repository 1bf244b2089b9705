// SPDX-License-Identifier: Apache-2.0
// Activations: what stands between the layers of a network. Most of them ONNX defines by a function
// body of simpler operators; they are written out here because they run often, and in forms that
// stay exact for large arguments. NaN stays NaN but where a body makes something else of it.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/format.h"
#include "isolated/engine/operators/broadcast.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// Without std::clamp's demand that the bounds are in order: where they are not, the upper one wins.
constexpr auto kBetween = []<class W>(W low, W x, W high) {
  const W raised = x < low ? low : x;
  return raised > high ? high : raised;
};

// log(1 + e^x), for large x too.
constexpr auto kSoftplus = []<class W>(W x) {
  return std::max(x, W(0)) + std::log1p(std::exp(-std::abs(x)));
};

Status compute_relu(Computation& c) {
  return map_elements<decltype(Floats{} + Signed{})>(c,
                                                     []<class W>(W x) { return x < 0 ? W{} : x; });
}

Status compute_leaky_relu(Computation& c) {
  const float alpha = c.attributes().real("alpha", 0.01F);
  return map_elements<Floats>(c, [=]<class W>(W x) { return x < 0 ? W(alpha) * x : x; });
}

Status compute_thresholded_relu(Computation& c) {
  const float alpha = c.attributes().real("alpha", 1);
  return map_elements<Floats>(c, [=]<class W>(W x) { return x > W(alpha) ? x : W{}; });
}

Status compute_elu(Computation& c) {
  const float alpha = c.attributes().real("alpha", 1);
  return map_elements<Floats>(c,
                              [=]<class W>(W x) { return x < 0 ? W(alpha) * std::expm1(x) : x; });
}

Status compute_celu(Computation& c) {
  const float alpha = c.attributes().real("alpha", 1);
  return map_elements<Floats>(c, [=]<class W>(W x) {
    return std::max(x, W{}) + std::min(W{}, W(alpha) * std::expm1(x / W(alpha)));
  });
}

Status compute_selu(Computation& c) {
  const float alpha = c.attributes().real("alpha", c.since(6) ? 1.67326319F : 1.6732F);
  const float gamma = c.attributes().real("gamma", c.since(6) ? 1.05070102F : 1.0507F);
  return map_elements<Floats>(
      c, [=]<class W>(W x) { return W(gamma) * (x > 0 ? x : W(alpha) * std::expm1(x)); });
}

Status compute_sigmoid(Computation& c) {
  return map_elements<Floats>(c, [](auto x) { return 1 / (1 + std::exp(-x)); });
}

Status compute_hard_sigmoid(Computation& c) {
  const float alpha = c.attributes().real("alpha", 0.2F);
  const float beta = c.attributes().real("beta", 0.5F);
  return map_elements<Floats>(
      c, [=]<class W>(W x) { return kBetween(W(0), W(alpha) * x + W(beta), W(1)); });
}

Status compute_hard_swish(Computation& c) {
  return map_elements<Floats>(
      c, []<class W>(W x) { return x * kBetween(W(0), x / W(6) + W(0.5), W(1)); });
}

Status compute_softplus(Computation& c) { return map_elements<Floats>(c, kSoftplus); }

Status compute_softsign(Computation& c) {
  return map_elements<Floats>(c, [](auto x) { return x / (1 + std::abs(x)); });
}

Status compute_mish(Computation& c) {
  return map_elements<Floats>(c, [](auto x) { return x * std::tanh(kSoftplus(x)); });
}

Status compute_gelu(Computation& c) {
  const std::string approximate = c.attributes().text("approximate", "none");
  if (approximate == "none") {
    return map_elements<Floats>(
        c, []<class W>(W x) { return W(0.5) * x * (1 + std::erf(x / std::numbers::sqrt2_v<W>)); });
  }
  if (approximate != "tanh") {
    return Error{Code::kInvalid, formatted("its attribute 'approximate' is '{}', it takes 'none' "
                                           "or 'tanh'",
                                           approximate)};
  }
  return map_elements<Floats>(c, []<class W>(W x) {
    const W slope = std::numbers::sqrt2_v<W> * std::numbers::inv_sqrtpi_v<W>;
    return W(0.5) * x * (1 + std::tanh(slope * (x + W(0.044715) * x * x * x)));
  });
}

// Of integers too, whose results lose their fraction.
Status compute_shrink(Computation& c) {
  const float lambda = c.attributes().real("lambd", 0.5F);
  const float bias = c.attributes().real("bias", 0);
  return map_elements<Numbers>(c, [=]<class W>(W x) {
    using In = std::conditional_t<std::is_integral_v<W>, double, W>;
    const In value = static_cast<In>(x);
    if (value < -In(lambda)) return converted<W>(value + In(bias));
    return value > In(lambda) ? converted<W>(value - In(bias)) : W{};
  });
}

// A bound of Clip: an input since operator set 11, an attribute before.
template <class T>
Result<Wide<T>> bound(Computation& c, size_t input, std::string_view attribute, Wide<T> otherwise) {
  if (c.since(11)) return c.has(input) ? widened(TRY(only_element<T>(c, input))) : otherwise;
  if (!c.attributes().has(attribute)) return otherwise;
  return converted<Wide<T>>(c.attributes().real(attribute, 0));
}

Status compute_clip(Computation& c) {
  return for_type(Numbers{}, c.type(0), [&]<class T>() -> Status {
    using Limits = std::numeric_limits<Wide<T>>;
    const auto y = TRY(c.make<T>(0, c.shape(0)));
    const auto x = TRY(c.values<T>(0));
    const Wide<T> least = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    const Wide<T> most = Limits::has_infinity ? Limits::infinity() : Limits::max();
    const Wide<T> low = TRY(bound<T>(c, 1, "min", least));
    const Wide<T> high = TRY(bound<T>(c, 2, "max", most));
    for (size_t i = 0; i < x.size(); ++i) y[i] = narrowed<T>(kBetween(low, widened(x[i]), high));
    return {};
  });
}

// The slopes of PRelu are broadcast to x, which keeps its shape. Before operator set 7 they were
// one for all, or one per channel.
Result<Aligned> align_slopes(const Computation& c) {
  const Shape& x = c.shape(0);
  const Shape& slopes = c.shape(1);
  if (!c.since(7)) {
    if (TRY(slopes.element_count()) == 1) return Aligned{x, Shape{}, x};
    if (slopes.rank() == 1 && x.rank() >= 2 && slopes[0] == x[1]) {
      std::array<int64_t, limits::kRank> dims;
      dims.fill(1);
      dims[0] = x[1];
      return Aligned{x, Shape(std::span(dims).first(x.rank() - 1)), x};
    }
  }
  if (broadcastable(slopes, x)) return Aligned{x, slopes, x};
  return Error{Code::kInvalid, formatted("its slopes of shape {} cannot be broadcast to {}",
                                         slopes.text(), x.text())};
}

Status compute_prelu(Computation& c) {
  const Aligned shapes = TRY(align_slopes(c));
  using List = decltype(Floats{} + Types<int32_t, int64_t, uint32_t, uint64_t>{});
  return for_type(List{}, c.type(0), [&]<class T>() -> Status {
    return combine<T, T, T>(c, shapes, []<class W>(W x, W slope) {
      return x < 0 ? static_cast<W>(Wrapping<W>(x) * Wrapping<W>(slope)) : x;
    });
  });
}

}  // namespace

void add_activation(Operators& operators) {
  operators.add("Relu", compute_relu);
  operators.add("LeakyRelu", compute_leaky_relu);
  operators.add("ThresholdedRelu", compute_thresholded_relu);
  operators.add("Elu", compute_elu);
  operators.add("Celu", compute_celu);
  operators.add("Selu", compute_selu);
  operators.add("Sigmoid", compute_sigmoid);
  operators.add("HardSigmoid", compute_hard_sigmoid);
  operators.add("HardSwish", compute_hard_swish);
  operators.add("Softplus", compute_softplus);
  operators.add("Softsign", compute_softsign);
  operators.add("Mish", compute_mish);
  operators.add("Gelu", compute_gelu);
  operators.add("Shrink", compute_shrink);
  operators.add("Clip", compute_clip);
  operators.add("PRelu", compute_prelu);
}

}  // namespace casemate::engine
