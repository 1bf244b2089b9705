// SPDX-License-Identifier: Apache-2.0
#pragma once
// Items: whether a batch is better made item by item, by each thread for itself, than by all
// threads one layer of the whole batch after another.
//
//   layer by layer  thread 0  a a a│b b b│c c c   weights are read once for the batch; at each line
//                   thread 1  a a a│b b b│c c c   threads wait for one another
//   item by item    thread 0  a b c a b c a b c   weights are read for each item; what one layer
//                   thread 1  a b c a b c a b c   made is near the thread that makes the next
//
//   Owns     nothing.
//   Threads  a pure function.
//   Trust    needs none: it decides on time alone.
//   Fails    never.

#include "isolated/engine/plan/plan.h"

namespace casemate::engine {

// Requires: the graph of one item, whose batches are independent (graph/independence.h).
bool better_by_items(const Graph& item, int threads);

// The memory of one thread that runs items: whole pages, since its neighbour's come next.
constexpr uint64_t side_bytes(const Plan& item) {
  constexpr uint64_t kPage = 4096;
  return (item.arena_bytes + kPage - 1) / kPage * kPage;
}

}  // namespace casemate::engine
