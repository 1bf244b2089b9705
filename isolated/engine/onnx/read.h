// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reading: an ONNX file made into a Graph without shapes, or refused with the node and the reason.
//
// The file may come from an attacker. It passes, in this order: a scan of the bytes that bounds
// nesting and memory before anything recursive or allocating sees them (scan.h); protobuf; and a
// walk over its nodes that checks each against its schema, makes defaults explicit, resolves names,
// copies function bodies in place of their calls, and makes of subgraphs graphs of their own, with
// what they read from outside as further inputs. libonnx gives its schemas and their functions; its
// walks over whole models are not used.
//
//   Owns     the graph it returns holds all bytes it needs, but what FileTensors are given.
//   Threads  one; starts none.
//   Trust    none in the file. External data is read only from below `directory`.
//   Fails    kInvalid for a wrong file, kUnsupported for a right one beyond this build, kTooLarge
//            over a limit. Exceptions of protobuf and onnx end here.

#include <string>
#include <utility>
#include <vector>

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

class FileTensors;
class Refusals;

struct ReadOptions {
  std::string directory = {};  // where external data may lie; empty: nowhere
  uint64_t memory_bytes_max = 4ull << 30;
  FileTensors* file_tensors = nullptr;  // where large constants may stay; none: all are copied
  // Where all refused nodes go; none: reading ends at the first. It fails either way.
  Refusals* refusals = nullptr;
};

// One input or output of a model, as the file declares it.
struct Port {
  enum class Kind : uint8_t { kTensor, kSequence, kOptional, kOther };
  std::string name;
  Kind kind = Kind::kTensor;
  ElementType type = ElementType::kNone;  // of the tensor, or of the elements
  bool shaped = false;                    // false: not even the rank is declared
  std::vector<int64_t> dims = {};         // -1 where it varies
  std::vector<std::string> symbols = {};  // the name of an extent that varies, or empty
};

struct ReadModel {
  Graph graph;  // its inputs and outputs are those of the ports, in their order
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<std::pair<std::string, int>> operator_sets;  // domain and version; "": ONNX's own
};

Result<ReadModel> read_onnx(Bytes file, const ReadOptions& options);

}  // namespace casemate::engine
