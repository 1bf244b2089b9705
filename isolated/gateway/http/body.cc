// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/body.h"

#include <new>

namespace casemate::gateway {
namespace {

// What an announced length is believed at first: every small request is one allocation.
constexpr uint64_t kFirst = Budget::kSmall;
// Growth by 4 copies a third of the bytes a second time, by 2 all of them.
constexpr uint64_t kFactor = 4;

}  // namespace

bool Body::grow() {
  uint64_t want = std::max(capacity_ * kFactor, kFirst);
  if (expected_ > size_) want = std::min(want, expected_);
  want = std::min(want, limit_);
  if (budget_ == nullptr || want <= size_ || !share_.take(*budget_, want - capacity_, want))
    return false;
  auto* grown = new (std::nothrow) uint8_t[want];
  if (grown == nullptr) return false;
  std::copy_n(data_.get(), size_, grown);
  data_.reset(grown);
  capacity_ = want;
  return true;
}

MutableBytes Body::space() {
  if (size_ == capacity_ && !grow()) return {};
  return {data_.get() + size_, capacity_ - size_};
}

bool Body::append(Bytes bytes) {
  while (!bytes.empty()) {
    const MutableBytes room = space();
    if (room.empty()) return false;
    const size_t count = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), count, room.begin());
    commit(count);
    bytes = bytes.subspan(count);
  }
  return true;
}

}  // namespace casemate::gateway
