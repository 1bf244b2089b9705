// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cache.h"

#include <algorithm>
#include <utility>

namespace casemate::verify {

Sha256Digest Cache::name_of(std::string_view what, Bytes first, Bytes second) {
  const Sha384Digest digest = Sha384().field(bytes_of(what)).field(first).field(second).finish();
  Sha256Digest name{};
  std::ranges::copy(Bytes(digest).first(name.size()), name.begin());
  return name;
}

bool Cache::proved(const Sha256Digest& evidence, int64_t now_unix) {
  const auto time = find(proofs_, evidence);
  return time && now_unix >= *time && now_unix - *time < kProofSeconds;
}

std::optional<int64_t> Cache::find(const Names& names, const Sha256Digest& name) {
  const std::lock_guard lock(mutex_);
  for (const auto* generation : {&names.younger, &names.older}) {
    if (const auto found = generation->find(name); found != generation->end()) return found->second;
  }
  return std::nullopt;
}

void Cache::remember(Names& names, const Sha256Digest& name, int64_t time) {
  const std::lock_guard lock(mutex_);
  if (names.younger.size() >= kEntries / 2 && !names.younger.contains(name)) {
    names.older = std::move(names.younger);
    names.younger.clear();
  }
  names.younger.insert_or_assign(name, time);
}

}  // namespace casemate::verify
