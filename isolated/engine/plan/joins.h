// SPDX-License-Identifier: Apache-2.0
#pragma once
// Joins: which images are made where a Concat of channels wants them, so that nothing is left to
// copy.
//
//   pixel 0: [ a a a | b b | c c c c ]   a, b and c are computed by convolutions, each of which
//   pixel 1: [ a a a | b b | c c c c ]   leaves room for the others behind each of its pixels
//
// What one Concat makes may be a part of another's result; all of them are then slices of the
// largest.
//
//   Owns     what it found out about one graph.
//   Threads  immutable once made.
//   Trust    as Graph.
//   Fails    never.

#include <optional>
#include <vector>

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

// Channels [offset, offset + its own) of each pixel of `whole`, which has `pitch` channels.
struct Slice {
  ValueId whole;
  int64_t offset;
  int64_t pitch;
};

class Joins final {
 public:
  // None, for a plan that does not keep channels last.
  Joins() = default;
  Joins(const Graph& graph, const Uses& uses, size_t variant);

  // Where the value is to be made, if its kernel can.
  [[nodiscard]] std::optional<Slice> slice(ValueId id) const;
  // For the result of a Concat: where its parts are made or copied to. None when it is a node like
  // any other.
  [[nodiscard]] std::optional<Slice> joined(ValueId id) const;

 private:
  // By value.
  std::vector<std::optional<Slice>> slices_;
  std::vector<std::optional<Slice>> joined_;
};

}  // namespace casemate::engine
