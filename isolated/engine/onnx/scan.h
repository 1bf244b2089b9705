// SPDX-License-Identifier: Apache-2.0
#pragma once
// Scan: a first look at the bytes of an ONNX file, with an explicit stack and without allocation
// per message, so that what follows cannot be made to recurse or to allocate without bound.
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    none: every length is checked against what encloses it.
//   Fails    kInvalid with the byte where the file stops making sense; kTooLarge over a limit.

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::engine {

struct ScanLimits {
  // Messages within messages. A subgraph costs three levels (graph, node, attribute), so this is 15
  // subgraphs deep; protobuf's own limit of 100, and every recursion in libonnx, stays beyond
  // reach.
  uint32_t depth_max = 48;
  // What protobuf will roughly allocate.
  uint64_t memory_bytes_max = 4ull << 30;
};

Status scan_onnx(Bytes file, const ScanLimits& limits);

}  // namespace casemate::engine
