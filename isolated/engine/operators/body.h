// SPDX-License-Identifier: Apache-2.0
#pragma once
// Body: a subgraph of a node, as operators with control flow run it. Its inputs are its own, and
// behind them what it captures from around the node: the node's inputs that the attribute
// "NAME.captures" lists.
//
//   Owns     a share of what it captures.
//   Threads  one.
//   Trust    none in how subgraph and node agree.
//   Fails    with kInvalid where they do not; as the subgraph's nodes do.

#include "isolated/engine/operators/computation.h"

namespace casemate::engine {

// How many inputs beside captures a node gives its subgraph, and how many outputs it needs.
struct Arity {
  size_t inputs = 0;
  size_t outputs = 0;
  bool more = false;  // the subgraph may make some that nobody needs
};

struct Body {
  const Graph* graph;
  std::vector<Datum> captures;

  // Numbers are compared here, once, for a body may run not once.
  static Result<Body> of(Computation& c, const std::string& name, Arity arity);
  // Requires: as many inputs as its arity says; there will be as many outputs.
  Result<std::vector<Datum>> run(Computation& c, std::vector<Datum> inputs) const;
};

// An input of the node, empty where it is left out.
Result<Datum> datum_of(Computation& c, size_t input);
// How many inputs of the node are its own, not captures.
size_t own_inputs(const Computation& c, const std::string& name);

// What a body makes of the iterations: carried values, and scan outputs, one tensor for each.
struct Gathered {
  std::vector<Datum> carried;
  std::vector<std::vector<Tensor>> scans;
  uint64_t scan_bytes = 0;

  // Of one iteration; the first of the outputs is `first`. Fails as Computation::hold(), too.
  // Requires: the body's arity was checked.
  Status take(Computation& c, std::vector<Datum> outputs, size_t first);
};

// The tensors one behind the other along a new axis, as NumPy's stack. Fails when they differ in
// type or shape. Requires: at least one.
Result<Tensor> stacked(Computation& c, const std::vector<Tensor>& tensors, int64_t axis,
                       bool backwards);
// A scan output of no iterations: 0 along the new axis, beside it what the file declares of the
// body's output, 0 where that varies, as ONNX Runtime has it. Fails when nothing says which type
// it has.
Result<Tensor> nothing_scanned(const Graph& body, size_t output, int64_t axis);

}  // namespace casemate::engine
