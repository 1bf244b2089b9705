// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/tensor.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {
namespace {

constexpr uint64_t kStringsMax = 1u << 24;

}  // namespace

Result<uint64_t> tensor_bytes(ElementType type, const Shape& shape) {
  constexpr uint64_t kBytesMax = 1ull << 40;
  const uint64_t count = TRY(shape.element_count());
  const uint64_t size = size_of(type);
  if (size == 0) return Error{Code::kUnsupported, "tensors of text are not supported"};
  if (count > kBytesMax / size) {
    return Error{Code::kTooLarge, formatted("a {} tensor of shape {} is larger than 2^40 bytes",
                                            name_of(type), shape.text())};
  }
  return count * size;
}

Result<Tensor> Tensor::make(ElementType type, const Shape& shape, std::string bytes) {
  const uint64_t size = TRY(tensor_bytes(type, shape));
  if (size != bytes.size()) {
    return Error{Code::kInvalid,
                 formatted("a {} tensor of shape {} has {} bytes of data, it needs {}",
                           name_of(type), shape.text(), bytes.size(), size)};
  }
  Tensor tensor(type, shape, size / size_of(type));
  tensor.keep(std::move(bytes));
  return tensor;
}

Result<Tensor> Tensor::make(const Shape& shape, std::vector<std::string> strings) {
  const uint64_t count = TRY(shape.element_count());
  if (count != strings.size()) {
    return Error{Code::kInvalid, formatted("a tensor of text of shape {} has {} strings",
                                           shape.text(), strings.size())};
  }
  Tensor tensor(ElementType::kString, shape, count);
  tensor.keep({}, std::move(strings));
  return tensor;
}

Result<Tensor> Tensor::zeros(ElementType type, const Shape& shape) {
  if (type == ElementType::kString) return unset(type, shape);
  const uint64_t size = TRY(tensor_bytes(type, shape));
  return make(type, shape, std::string(size, '\0'));
}

Result<Tensor> Tensor::unset(ElementType type, const Shape& shape) {
  if (type == ElementType::kString) {
    const uint64_t count = TRY(shape.element_count());
    if (count > kStringsMax) {
      return Error{Code::kTooLarge, formatted("a tensor of text of shape {} has more than 2^24 "
                                              "strings",
                                              shape.text())};
    }
    return make(shape, std::vector<std::string>(count));
  }
  const uint64_t size = TRY(tensor_bytes(type, shape));
  std::string bytes;
  bytes.resize_and_overwrite(size, [](char*, size_t count) { return count; });
  return make(type, shape, std::move(bytes));
}

Tensor Tensor::view(ElementType type, const Shape& shape, MutableBytes bytes) {
  const auto size = tensor_bytes(type, shape);
  CHECK(size && *size == bytes.size(), "a view has the bytes that its shape needs");
  Tensor tensor(type, shape, *size / size_of(type));
  tensor.data_ = bytes.data();
  tensor.byte_count_ = bytes.size();
  return tensor;
}

Tensor Tensor::view(const TensorView& borrowed) {
  Tensor tensor = view(borrowed.type, borrowed.shape,
                       {const_cast<uint8_t*>(borrowed.data.data()), borrowed.data.size()});
  tensor.borrowed_ = true;
  return tensor;
}

Result<Tensor> Tensor::deferred(ElementType type, const Shape& shape,
                                std::function<std::string()> make, LooseElements loose) {
  const uint64_t size = TRY(tensor_bytes(type, shape));
  Tensor tensor(type, shape, size / size_of(type));
  tensor.storage_ = std::make_shared<Storage>();
  CHECK(loose.bytes.empty() || loose.bytes.size() == size,
        "elements loose are as many bytes as type and shape need");
  tensor.storage_->make = std::move(make);
  tensor.storage_->loose = std::move(loose);
  tensor.byte_count_ = size;
  return tensor;
}

void Tensor::keep(std::string bytes, std::vector<std::string> strings) {
  storage_ = std::make_shared<Storage>();
  storage_->bytes = std::move(bytes);
  storage_->strings = std::move(strings);
  data_ = static_cast<uint8_t*>(static_cast<void*>(storage_->bytes.data()));
  byte_count_ = storage_->bytes.size();
}

const uint8_t* Tensor::made() const {
  const std::lock_guard guard(storage_->making);
  if (storage_->bytes.size() != byte_count_) {
    storage_->bytes = storage_->make();
    CHECK(storage_->bytes.size() == byte_count_, "deferred elements have the bytes of their shape");
  }
  return static_cast<const uint8_t*>(static_cast<const void*>(storage_->bytes.data()));
}

void Tensor::forget() const {
  if (storage_ == nullptr) return;
  const std::lock_guard guard(storage_->making);
  if (storage_->make) std::string().swap(storage_->bytes);
  if (storage_->loose.read) storage_->loose.read(storage_->loose.bytes);
}

void Tensor::forget(uint64_t begin, uint64_t count) const {
  if (storage_ == nullptr) return;
  const std::lock_guard guard(storage_->making);
  const LooseElements& loose = storage_->loose;
  if (!loose.read || begin > loose.bytes.size()) return;
  loose.read(loose.bytes.subspan(begin, std::min(count, loose.bytes.size() - begin)));
}

void Tensor::settle() const {
  if (data_ != nullptr || storage_ == nullptr) return;
  static_cast<void>(made());
  const std::lock_guard guard(storage_->making);
  storage_->make = nullptr;
  storage_->loose = {};
}

Bytes Tensor::loose_bytes() const {
  if (deferred()) {
    const std::lock_guard guard(storage_->making);
    if (storage_->bytes.size() != byte_count_ && !storage_->loose.bytes.empty())
      return storage_->loose.bytes;
  }
  return bytes();
}

std::string Tensor::copied() const {
  if (data_ == nullptr && storage_ != nullptr) {
    const std::lock_guard guard(storage_->making);
    return storage_->bytes.size() == byte_count_ ? storage_->bytes : storage_->make();
  }
  return std::string(text_of(bytes()));
}

void Tensor::unshare() {
  const bool deferred = data_ == nullptr && storage_ != nullptr;
  if (borrowed_ || deferred) {
    borrowed_ = false;
    return keep(copied());
  }
  if (storage_ && storage_.use_count() > 1) keep(storage_->bytes, storage_->strings);
}

MutableBytes Tensor::mutable_bytes() {
  unshare();
  return {data_, byte_count_};
}

Tensor Tensor::reshaped(const Shape& shape) const {
  const auto count = shape.element_count();
  CHECK(count && *count == count_, "reshaping keeps the element count");
  Tensor tensor = *this;
  tensor.shape_ = shape;
  return tensor;
}

bool operator==(const Tensor& a, const Tensor& b) {
  if (a.type_ != b.type_ || a.shape_ != b.shape_) return false;
  if (a.type_ == ElementType::kString) return a.storage_->strings == b.storage_->strings;
  return a.identity() == b.identity() || std::ranges::equal(a.bytes(), b.bytes());
}

}  // namespace casemate::engine
