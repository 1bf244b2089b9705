// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/serial/places.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"

namespace casemate::driver {

uint64_t Places::bytes_taken(uint64_t bytes) const {
  return (std::max<uint64_t>(bytes, 1) + alignment_ - 1) / alignment_ * alignment_;
}

Result<uint64_t> Places::take(uint64_t bytes) {
  const std::lock_guard held(lock_);
  if (bytes <= bytes_) {
    const uint64_t wanted = bytes_taken(bytes);
    uint64_t begin = 0;
    for (const auto& [offset, size] : parts_) {
      if (offset - begin >= wanted) break;
      begin = offset + size;
    }
    if (begin <= bytes_ && wanted <= bytes_ - begin) {
      parts_[begin] = wanted;
      return begin;
    }
  }
  return Error{Code::kUnavailable,
               formatted("no {} bytes in one piece are free in a memory of {}: free buffers", bytes,
                         bytes_)};
}

void Places::give_back(uint64_t begin) {
  const std::lock_guard held(lock_);
  CHECK(parts_.erase(begin) == 1, "what is given back was given out");
}

}  // namespace casemate::driver
