// SPDX-License-Identifier: Apache-2.0
#pragma once
// Specialising: a graph without shapes made into one for given shapes of its inputs. Each
// operator's own function foretells what it makes; what depends on constants alone, or on shapes,
// becomes constant; a branch whose condition is known takes the place of its If. What depends on
// data that is known only when the model runs is put off.
//
//   Owns     the graph it returns.
//   Threads  one.
//   Trust    none in the graph: it computes no more than kFoldedBytesMax beyond what it is given.
//   Fails    with the node's name and the reason.

#include "isolated/engine/graph/refusals.h"
#include "isolated/engine/operators/computation.h"
#include "isolated/engine/passes/derivations.h"

namespace casemate::engine {

struct Specialised {
  // What is known of a value of the general graph.
  struct Known {
    ValueId id;                  // in `graph`; absent for one that is put off, or is no tensor
    std::optional<Datum> datum;  // where its elements are known
  };

  Graph graph;               // shaped, without outputs; its inputs are those of the general graph
  std::vector<Known> known;  // by value of the general graph
  std::vector<size_t> put_off;  // nodes of the general graph, in order

  // Whether the value can be had without running what was put off.
  [[nodiscard]] bool has(ValueId general) const {
    return known[general.index].id.present() || known[general.index].datum;
  }
};

// Requires: one fact per input of the graph. Fails with kTooLarge when a single value would need
// more than the limit. With `refusals`, nodes that are refused go there and are put off, with what
// needs them.
Result<Specialised> specialise(const Graph& general, const std::vector<Fact>& inputs,
                               Derivations& derivations, uint64_t memory_bytes_max = 4ull << 30,
                               Refusals* refusals = nullptr);

}  // namespace casemate::engine
