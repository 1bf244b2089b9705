// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/recurrent_activation.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {
namespace {

using Kind = GateActivation::Kind;

struct Known {
  std::string_view name;  // in lower case
  Kind kind;
  std::optional<float> alpha = {};  // what the operator of that name takes; none: nothing
  std::optional<float> beta = {};
};

constexpr std::array<Known, 11> kKnown = {{
    {"relu", Kind::kRelu},
    {"tanh", Kind::kTanh},
    {"sigmoid", Kind::kSigmoid},
    {"affine", Kind::kAffine, 1.0F, 0.0F},
    {"leakyrelu", Kind::kLeakyRelu, 0.01F},
    {"thresholdedrelu", Kind::kThresholdedRelu, 1.0F},
    {"scaledtanh", Kind::kScaledTanh, 1.0F, 1.0F},
    {"hardsigmoid", Kind::kHardSigmoid, 0.2F, 0.5F},
    {"elu", Kind::kElu, 1.0F},
    {"softsign", Kind::kSoftsign},
    {"softplus", Kind::kSoftplus},
}};

// Exporters differ in how they spell them.
const Known* known(std::string name) {
  std::ranges::transform(name, name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  const auto found = std::ranges::find(kKnown, name, &Known::name);
  return found == kKnown.end() ? nullptr : found;
}

}  // namespace

Result<std::vector<GateActivation>> gate_activations(const Computation& c, size_t directions,
                                                     std::span<const std::string_view> otherwise) {
  std::vector<std::string> names = c.attributes().texts("activations");
  const size_t wanted = directions * otherwise.size();
  if (names.empty()) {
    for (size_t i = 0; i < directions; ++i)
      names.insert(names.end(), otherwise.begin(), otherwise.end());
  }
  // RNN's default names both directions even where there is one.
  if (names.size() != wanted && names.size() != 2 * otherwise.size()) {
    return Error{Code::kInvalid, formatted("attribute 'activations' has {} names, it needs {}",
                                           names.size(), wanted)};
  }
  const std::vector<float> alphas = c.attributes().reals("activation_alpha");
  const std::vector<float> betas = c.attributes().reals("activation_beta");
  size_t next_alpha = 0;
  size_t next_beta = 0;
  const auto take = [](const std::vector<float>& given, size_t& next, std::optional<float> own) {
    if (!own) return 0.0F;
    return next < given.size() ? given[next++] : *own;
  };
  std::vector<GateActivation> activations;
  for (size_t i = 0; i < wanted; ++i) {
    const Known* found = known(names[i]);
    if (found == nullptr) {
      return Error{
          Code::kInvalid,
          formatted("attribute 'activations' names '{}', which is no function of it", names[i])};
    }
    activations.push_back({.kind = found->kind,
                           .alpha = take(alphas, next_alpha, found->alpha),
                           .beta = take(betas, next_beta, found->beta)});
  }
  return activations;
}

Result<std::optional<float>> gate_clip(const Computation& c) {
  if (!c.attributes().has("clip")) return std::optional<float>();
  const float clip = c.attributes().real("clip", 0);
  if (!(clip >= 0)) {
    return Error{Code::kInvalid,
                 formatted("attribute 'clip' is {}, expected a number from 0", clip)};
  }
  return std::optional<float>(clip);
}

}  // namespace casemate::engine
