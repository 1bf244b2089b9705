// SPDX-License-Identifier: Apache-2.0
#pragma once
// The functions that RNN, GRU and LSTM apply to their gates.
//
//   Owns     nothing.
//   Threads  value types.
//   Trust    attributes may be anything.
//   Fails    with kInvalid, and the attribute that is wrong.

#include <cmath>
#include <optional>

#include "isolated/engine/operators/computation.h"

namespace casemate::engine {

struct GateActivation {
  enum class Kind : uint8_t {
    kRelu,
    kTanh,
    kSigmoid,
    kAffine,
    kLeakyRelu,
    kThresholdedRelu,
    kScaledTanh,
    kHardSigmoid,
    kElu,
    kSoftsign,
    kSoftplus,
  };
  Kind kind = Kind::kTanh;
  float alpha = 0;
  float beta = 0;

  template <class W>
  [[nodiscard]] W operator()(W x) const {
    const W a = static_cast<W>(alpha);
    const W b = static_cast<W>(beta);
    switch (kind) {
      case Kind::kRelu:
        return x > 0 ? x : 0;
      case Kind::kTanh:
        return std::tanh(x);
      case Kind::kSigmoid:
        return 1 / (1 + std::exp(-x));
      case Kind::kAffine:
        return a * x + b;
      case Kind::kLeakyRelu:
        return x >= 0 ? x : a * x;
      case Kind::kThresholdedRelu:
        return x >= a ? x : 0;
      case Kind::kScaledTanh:
        return a * std::tanh(b * x);
      case Kind::kHardSigmoid:
        return std::min<W>(std::max<W>(a * x + b, 0), 1);
      case Kind::kElu:
        return x >= 0 ? x : a * std::expm1(x);
      case Kind::kSoftsign:
        return x / (1 + std::abs(x));
      case Kind::kSoftplus:
        return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    }
    return x;
  }
};

// From 'activations', 'activation_alpha' and 'activation_beta': for each direction as many as
// there are names in `otherwise`, which stand where the attribute is missing. An alpha or beta is
// used up by the next function that takes one.
Result<std::vector<GateActivation>> gate_activations(const Computation& c, size_t directions,
                                                     std::span<const std::string_view> otherwise);

// What 'clip' bounds the inputs of the functions to, if it is there.
Result<std::optional<float>> gate_clip(const Computation& c);

}  // namespace casemate::engine
