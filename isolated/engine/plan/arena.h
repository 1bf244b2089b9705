// SPDX-License-Identifier: Apache-2.0
#pragma once
// Arena: where the intermediate results of a plan lie in one block of memory. Two blocks share
// bytes only if no step needs both.
//
//   Owns     nothing but numbers.
//   Threads  a pure function.
//   Trust    sizes were bounded on import.
//   Fails    never.

#include <cstdint>
#include <vector>

namespace casemate::engine {

// A piece of memory that is needed from step `first` to step `last`, both included.
struct Block {
  uint64_t bytes = 0;
  size_t first = 0;
  size_t last = 0;
  uint64_t offset = 0;  // the result; a multiple of kArenaAlignment
};

inline constexpr uint64_t kArenaAlignment = 64;

// Gives every block an offset, and returns how many bytes all of them take: the largest blocks
// first, each into the smallest gap that fits between those that live at the same time.
uint64_t place_blocks(std::vector<Block>& blocks);

}  // namespace casemate::engine
