// SPDX-License-Identifier: Apache-2.0
#pragma once
// Independence of batch items: the proof that lets a batch be split, and requests of different
// clients share one.
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    none in the model: a hostile one that mixes items would hand one client's data to
//            another, so what is not proven here is not batched.
//   Fails    never; it says no where it does not know an operator.

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

// True when every input has the batch as extent 0, every output a multiple of it (the boxes of a
// detector: [N*6,4]), one item behind the other, and item i of every output depends on item i of
// the inputs alone, for all variants. Requires: no post-operations yet; the first variant is batch
// size 1.
bool items_independent(const Graph& graph);

}  // namespace casemate::engine
