// SPDX-License-Identifier: Apache-2.0
#pragma once
// PackedPiece: a piece, which is a shaped graph with its constants, as bytes that cross a wall.
//
//   header | inputs | constants | nodes, each with what it makes | outputs
//
// Values are known by their place in that order. Nothing is aligned; all numbers are little-endian.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    unpack() trusts nothing: what it returns is sound(), its constants have the bytes of
//            their shapes. Whether attributes make sense for their operator, the device has to see.
//   Fails    pack() with kUnsupported for what no device holds, text and subgraphs; unpack() with
//            kInvalid and where, kTooLarge as tensors do.

#include <vector>

#include "base/bytes.h"
#include "isolated/engine/graph/graph.h"

namespace casemate::driver::remote {

// Requires: one variant.
Result<std::vector<uint8_t>> pack(const engine::Graph& piece);
Result<engine::Graph> unpack(Bytes bytes);

}  // namespace casemate::driver::remote
