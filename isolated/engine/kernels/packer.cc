// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/packer.h"

#include <algorithm>

namespace casemate::engine {
namespace {

constexpr const char* kAsItIs = "as it is";

}  // namespace

Result<MutableBytes> Packer::allocate(uint64_t size) {
  if (store_ != nullptr) return store_->allocate(size);
  constexpr uint64_t kAlign = tensors::WeightStore::kAlignment;
  const uint64_t whole = (std::max<uint64_t>(size, 1) + kAlign - 1) / kAlign * kAlign;
  auto* const bytes = static_cast<uint8_t*>(std::aligned_alloc(kAlign, whole));
  if (bytes == nullptr) return Error{Code::kTooLarge, "no memory for the constants of a plan"};
  own_.emplace_back(bytes);
  own_bytes_ += whole;
  return MutableBytes(bytes, size);
}

Result<Bytes> Packer::pack(const Tensor& source, const std::string& form, uint64_t size,
                           const std::function<Status(MutableBytes)>& fill, const Unpack& unpack) {
  if (before_ != nullptr) {
    if (const Bytes bytes = before_->find(source, form); bytes.size() == size && size > 0)
      return bytes;
  }
  const auto key = std::pair(source.identity(), form);
  if (const auto found = packed_.find(key); found != packed_.end()) return found->second.bytes;
  const MutableBytes bytes = TRY(allocate(size));
  TRY(fill(bytes));
  // The store has them now; another form would have them made again.
  if (store_ != nullptr) source.forget();
  return packed_.emplace(key, Packed{source, bytes, unpack}).first->second.bytes;
}

Result<Bytes> Packer::pack(const Tensor& source) {
  if (store_ == nullptr) {
    const auto key = std::pair(source.identity(), std::string());
    return packed_.emplace(key, Packed{source, source.bytes(), {}}).first->second.bytes;
  }
  return pack(source, kAsItIs, source.byte_count(), [&](MutableBytes bytes) -> Status {
    std::ranges::copy(source.bytes(), bytes.begin());
    return {};
  });
}

Result<Tensor> Packer::keep(const Tensor& source) {
  CHECK(store_ != nullptr, "constants are kept in a store");
  const bool whole = packed_.contains(std::pair(source.identity(), std::string(kAsItIs)));
  const auto first = packed_.lower_bound(std::pair(source.identity(), std::string()));
  for (auto it = first; !whole && it != packed_.end(); ++it) {
    if (it->first.first != source.identity()) break;
    const Packed& packed = it->second;
    if (!packed.unpack) continue;
    return Tensor::deferred(
        source.type(), source.shape(),
        [bytes = packed.bytes, unpack = packed.unpack] { return unpack(bytes); });
  }
  return Tensor::view({source.type(), source.shape(), TRY(pack(source))});
}

bool Packer::packed(const Tensor& source) const {
  const auto first = packed_.lower_bound(std::pair(source.identity(), std::string()));
  return first != packed_.end() && first->first.first == source.identity();
}

bool Packer::packed(const Tensor& source, const std::string& form) const {
  return (before_ != nullptr && !before_->find(source, form).empty()) ||
         packed_.contains(std::pair(source.identity(), form));
}

void Packer::list(const Tensor& source, const Tensor& kept, PackedForms& forms) const {
  auto it = packed_.lower_bound(std::pair(source.identity(), std::string()));
  for (; it != packed_.end() && it->first.first == source.identity(); ++it)
    forms.add(kept.identity(), it->first.second, it->second.bytes);
}

}  // namespace casemate::engine
