// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/packer.h"

#include <algorithm>

namespace casemate::engine {

Result<MutableBytes> Packer::allocate(uint64_t size) {
  if (store_ != nullptr) return store_->allocate(size);
  constexpr uint64_t kAlign = tensors::WeightStore::kAlignment;
  const uint64_t whole = (std::max<uint64_t>(size, 1) + kAlign - 1) / kAlign * kAlign;
  auto* const bytes = static_cast<uint8_t*>(std::aligned_alloc(kAlign, whole));
  if (bytes == nullptr) return Error{Code::kTooLarge, "no memory for the constants of a plan"};
  own_.emplace_back(bytes);
  return MutableBytes(bytes, size);
}

Result<Bytes> Packer::pack(const Tensor& source, const std::string& form, uint64_t size,
                           const std::function<Status(MutableBytes)>& fill) {
  const auto key = std::pair(source.bytes().data(), form);
  if (const auto found = packed_.find(key); found != packed_.end()) return found->second.bytes;
  const MutableBytes bytes = TRY(allocate(size));
  TRY(fill(bytes));
  return packed_.emplace(key, Packed{source, bytes}).first->second.bytes;
}

Result<Bytes> Packer::pack(const Tensor& source) {
  if (store_ == nullptr) {
    const auto key = std::pair(source.bytes().data(), std::string());
    return packed_.emplace(key, Packed{source, source.bytes()}).first->second.bytes;
  }
  return pack(source, "as it is", source.bytes().size(), [&](MutableBytes bytes) -> Status {
    std::ranges::copy(source.bytes(), bytes.begin());
    return {};
  });
}

}  // namespace casemate::engine
