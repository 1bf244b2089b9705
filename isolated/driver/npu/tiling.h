// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a convolution is cut so that its pieces fit the buffers: the cut that an estimate of the
// cycles likes best.
//
// A tile is what stays in the accumulators: rows x columns of the result, some blocks of its
// channels. It takes a step for each chunk of the input channels: the pixels under it and the
// weights between the chunk and its blocks. Buffers have two halves: while one step is computed,
// the next is loaded, and the tile before is stored.
//
//   Owns     nothing: values.
//   Threads  pure functions.
//   Trust    Requires: Convolution::check().
//   Fails    choose() returns kUnsupported where not even one position fits.

#include "isolated/driver/npu/convolution.h"

namespace casemate::npu {

// Elements in the half of a buffer.
constexpr int64_t half(Memory memory) { return capacity(memory) / 2; }

// Parts of a size, the last of which may be smaller.
constexpr int64_t parts(int64_t size, int64_t part) { return (size + part - 1) / part; }

struct Tiling {
  int64_t rows = 1;
  int64_t columns = 1;
  int64_t outputs = 1;  // blocks of channels
  int64_t inputs = 1;
  // Tiles of the same output channels follow each other, so that weights may stay; otherwise tiles
  // of the same pixels do, so that these may.
  bool weights_stay = false;
};

Result<Tiling> choose(const Convolution& convolution);

// Cycles that it takes, roughly: no promise, but an order.
int64_t estimate(const Convolution& convolution, const Tiling& tiling);

}  // namespace casemate::npu
