// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tiles and steps of a convolution in the order in which they are computed, with what has to
// be loaded for each: what a half of a buffer still has is not loaded again.
//
//   Owns     nothing: values.
//   Threads  pure functions.
//   Trust    Requires: a tiling that choose() made.
//   Fails    schedule() returns kTooLarge for more steps than a program may have.

#include <vector>

#include "isolated/driver/npu/tiling.h"

namespace casemate::npu {

struct Span {
  int64_t first = 0;
  int64_t count = 0;
  bool operator==(const Span&) const = default;
};

// The part of the result that accumulators hold together.
struct Tile {
  int64_t image = 0;
  Span rows;
  Span columns;
  Span outputs;  // blocks of channels
  bool loads_bias = false;

  [[nodiscard]] int64_t positions() const { return rows.count * columns.count; }
};

// A tile and a chunk of input channels.
struct Step {
  size_t tile = 0;
  Span inputs;  // blocks of channels
  bool first = false;
  bool last = false;
  bool loads_pixels = false;
  bool loads_weights = false;

  [[nodiscard]] bool loads() const { return loads_pixels || loads_weights; }
};

struct Schedule {
  std::vector<Tile> tiles;
  std::vector<Step> steps;
};

// Step s uses half s % depth of the inputs and weights, tile t half t % depth of the accumulators.
Result<Schedule> schedule(const Convolution& convolution, const Tiling& tiling, size_t depth);

}  // namespace casemate::npu
