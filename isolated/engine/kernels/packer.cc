// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/packer.h"

#include <algorithm>

namespace casemate::engine {

Result<Bytes> Packer::pack(const Tensor& source, const std::string& form, uint64_t size,
                           const std::function<Status(MutableBytes)>& fill) {
  const auto key = std::pair(source.bytes().data(), form);
  if (const auto found = packed_.find(key); found != packed_.end()) return found->second;
  const MutableBytes bytes = TRY(store_.allocate(size));
  TRY(fill(bytes));
  return packed_.emplace(key, bytes).first->second;
}

Result<Bytes> Packer::pack(const Tensor& source) {
  return pack(source, "as it is", source.bytes().size(), [&](MutableBytes bytes) -> Status {
    std::ranges::copy(source.bytes(), bytes.begin());
    return {};
  });
}

}  // namespace casemate::engine
