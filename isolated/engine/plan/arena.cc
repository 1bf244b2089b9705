// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/plan/arena.h"

#include <algorithm>
#include <numeric>

namespace casemate::engine {
namespace {

uint64_t aligned(uint64_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

bool overlap(const Block& a, const Block& b) { return a.first <= b.last && b.first <= a.last; }

// The offset of the smallest gap for `block` between `neighbours`, which are sorted by offset.
uint64_t best_gap(const Block& block, const std::vector<const Block*>& neighbours) {
  uint64_t best = UINT64_MAX;
  uint64_t best_size = UINT64_MAX;
  uint64_t end = 0;
  for (const Block* neighbour : neighbours) {
    if (neighbour->offset > end) {
      const uint64_t gap = neighbour->offset - end;
      if (gap >= aligned(block.bytes) && gap < best_size) {
        best = end;
        best_size = gap;
      }
    }
    end = std::max(end, neighbour->offset + aligned(neighbour->bytes));
  }
  return best == UINT64_MAX ? end : best;
}

}  // namespace

uint64_t place_blocks(std::vector<Block>& blocks) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater{}, [&](size_t i) { return blocks[i].bytes; });
  std::vector<const Block*> placed;  // sorted by offset
  uint64_t total = 0;
  for (const size_t i : order) {
    Block& block = blocks[i];
    std::vector<const Block*> neighbours;
    std::ranges::copy_if(placed, std::back_inserter(neighbours),
                         [&](const Block* other) { return overlap(block, *other); });
    block.offset = best_gap(block, neighbours);
    total = std::max(total, block.offset + aligned(block.bytes));
    placed.insert(std::ranges::upper_bound(placed, block.offset, {}, &Block::offset), &block);
  }
  return total;
}

}  // namespace casemate::engine
