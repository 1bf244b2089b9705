// SPDX-License-Identifier: Apache-2.0
#pragma once
// Import: an ONNX file made into a Graph, or refused with the node and the reason.
//
// The file may come from an attacker. It passes, in this order: a scan of the bytes that bounds
// nesting and memory before anything recursive or allocating sees them (scan.h); protobuf; our own
// checks of versions, operators, attributes, names and tensors (admit.h, names.h, tensors.h);
// ONNX's checker and shape inference (infer.h), which see nothing that the checks before did not
// admit; and the rewriting into our operators (lower.h).
//
//   Owns     the graph it returns holds all bytes it needs.
//   Threads  one; starts none.
//   Trust    none in the file. External data is read only from below `directory`.
//   Fails    kInvalid for a wrong file, kUnsupported for a right one beyond this build, kTooLarge
//            over a limit. Exceptions of protobuf and onnx end here.

#include <string>
#include <utility>
#include <vector>

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

struct ImportOptions {
  std::string directory = {};  // where external data may lie; empty: nowhere
  uint64_t memory_bytes_max = 4ull << 30;
  // The sizes to import a model with a symbolic batch for, ascending, each at least 1.
  std::vector<int64_t> batch_sizes = {1, 2, 4, 8};
};

struct Imported {
  Graph graph;
  // Extent 0 of at least one input varies: the graph has one variant per batch size for which the
  // model makes sense. Otherwise it has one variant, whose batch size means nothing.
  bool batched = false;
  std::vector<std::pair<std::string, std::string>> metadata;
};

Result<Imported> import_onnx(Bytes file, const ImportOptions& options);

}  // namespace casemate::engine
