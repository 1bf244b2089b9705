// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/fake/block.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"

namespace casemate::driver {

Result<uint64_t> Block::allocate(uint64_t bytes) {
  const std::lock_guard held(lock_);
  const uint64_t whole = memory_.size();
  if (bytes <= whole) {
    const uint64_t wanted =
        (std::max<uint64_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    uint64_t begin = 0;
    for (const auto& [offset, size] : pieces_) {
      if (offset - begin >= wanted) break;
      begin = offset + size;
    }
    if (wanted <= whole - begin) {
      pieces_[begin] = wanted;
      std::ranges::fill(memory_.bytes().subspan(begin, wanted), uint8_t{0});
      return begin;
    }
  }
  return Error{
      Code::kUnavailable,
      formatted("no {} bytes in one piece are free in a memory of {}: free buffers", bytes, whole)};
}

void Block::free(uint64_t offset) {
  const std::lock_guard held(lock_);
  CHECK(pieces_.erase(offset) == 1, "what is given back was given out");
}

MutableBytes Block::at(uint64_t offset, uint64_t bytes) const {
  return memory_.bytes().subspan(offset, bytes);
}

void Block::clear() {
  const std::lock_guard held(lock_);
  std::ranges::fill(memory_.bytes(), uint8_t{0});
}

}  // namespace casemate::driver
