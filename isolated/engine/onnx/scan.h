// SPDX-License-Identifier: Apache-2.0
#pragma once
// Scan: a first look at the bytes of an ONNX file, with an explicit stack and without allocation
// per message, so that what follows cannot be made to recurse or to allocate without bound.
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    none: every length is checked against what encloses it.
//   Fails    kInvalid with the byte where the file stops making sense; kTooLarge over a limit.

#include <string>
#include <vector>

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

// An initializer of the model's graph: where its raw_data stands, and the two messages around it.
struct Initializer {
  size_t raw_count = 0;         // more than one: the last counts, to protobuf
  size_t field_at = 0;          // the field, from its tag
  Bytes raw = {};               // its content
  size_t tensor_length_at = 0;  // where the length of the tensor is written
  size_t graph_length_at = 0;   // that of the graph
};

// Fills `initializers`, if there is one, in the order in which protobuf will have them.
Status scan_onnx(Bytes file, const ScanLimits& limits,
                 std::vector<Initializer>* initializers = nullptr);

// The file without the raw_data of large initializers, for protobuf, and what was left out.
struct Outline {
  std::string file;        // empty: nothing was left out
  std::vector<Bytes> raw;  // by initializer; empty where nothing was left out
};

// Requires: the file was scanned, with these initializers.
Outline outline_of(Bytes file, const std::vector<Initializer>& initializers);

}  // namespace casemate::engine
