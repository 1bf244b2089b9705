// SPDX-License-Identifier: Apache-2.0
#pragma once
// Generator: random numbers that are the same wherever and whenever a model runs.
//
// It is NumPy's RandomState: the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) seeded
// with 32 bits, uniform numbers of 53 bits, and normal ones by the polar method (Marsaglia). What
// ONNX's reference draws with a seed is drawn here, too. Not for secrets.
//
//   Owns     its state.
//   Threads  one.
//   Trust    seeds may be any number.
//   Fails    never.

#include <random>

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

class Generator final {
 public:
  explicit Generator(uint32_t seed) : twister_(seed) {}
  // Seeded with the node's attribute `seed`; without one, with the node's name, so that two nodes
  // draw different numbers.
  explicit Generator(const Node& node);

  // From 0 to below 1.
  double uniform();
  // Of mean 0 and deviation 1.
  double normal();

 private:
  std::mt19937 twister_;
  double spare_ = 0;  // normal numbers come in pairs
  bool has_spare_ = false;
};

}  // namespace casemate::engine
