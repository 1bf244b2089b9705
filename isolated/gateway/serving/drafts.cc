// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/drafts.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace casemate::gateway {

void Drafts::renew() {
  if (std::exchange(round_, loop_.now()) == loop_.now()) return;
  short_bytes_ = grown_bytes_ = 0;
  served_.clear();
}

size_t Drafts::room(const void* origin) {
  renew();
  const bool first = !std::ranges::contains(served_, origin);
  if (first) served_.push_back(origin);
  if (!first && short_bytes_ >= kPerRound) return 0;
  return std::max(kPerRound - std::min(short_bytes_, kPerRound), 2 * kShort);
}

size_t Drafts::room(const Draft& draft) {
  renew();
  return &draft == growing_ && grown_bytes_ < kPerRound ? kPerRound - grown_bytes_ : 0;
}

void Drafts::wrote(const Draft* draft, size_t bytes) {
  (draft == nullptr ? short_bytes_ : grown_bytes_) += bytes;
}

void Drafts::add(const Draft& draft) {
  CHECK(drafts_.emplace(draft.call_, &draft).second, "a call has one answer");
  if (growing_ == nullptr) growing_ = &draft;
}

// The first of the next connection that has any is the next to grow.
void Drafts::remove(const Draft& draft) {
  drafts_.erase(draft.call_);
  if (growing_ != &draft) return;
  auto next = drafts_.lower_bound({draft.call_.connection + 1, 0});
  if (next == drafts_.end()) next = drafts_.begin();
  growing_ = next == drafts_.end() ? nullptr : next->second;
}

}  // namespace casemate::gateway
