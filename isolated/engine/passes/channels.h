// SPDX-License-Identifier: Apache-2.0
#pragma once
// Per-channel arithmetic on a convolution: y = scale * conv(x) + shift, put into weights and bias.

#include <optional>
#include <vector>

#include "isolated/engine/graph/graph.h"
#include "isolated/engine/passes/derivations.h"

namespace casemate::engine {

struct ChannelArithmetic {
  std::vector<double> scale;
  std::vector<double> shift;
};

// The output channels of a Conv that arithmetic can be folded into: its weights, and bias if it has
// one, are constant, and it has no post-operations.
std::optional<size_t> foldable_channels(const Graph& graph, const Node& convolution);

// What a BatchNormalization in canonical form does to each channel; none where its constants make
// no sense, or are not constant.
std::optional<ChannelArithmetic> normalization_arithmetic(const Graph& graph, const Node& node,
                                                          size_t channels);

// Gives `reader`, the node behind the convolution, the convolution's work with the arithmetic in
// it; the convolution itself is then dead. Requires: foldable_channels(); one scale and shift per
// channel.
void fold_into(Graph& graph, const Node& convolution, Node& reader,
               const ChannelArithmetic& arithmetic, Derivations& derivations);

}  // namespace casemate::engine
