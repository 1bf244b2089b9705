// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/tensor.h"

#include <format>

namespace casemate::engine {

Result<uint64_t> tensor_bytes(ElementType type, const Shape& shape) {
  constexpr uint64_t kBytesMax = 1ull << 40;
  const uint64_t count = TRY(shape.element_count());
  const uint64_t size = size_of(type);
  if (size == 0) return Error{Code::kUnsupported, "tensors of text are not supported"};
  if (count > kBytesMax / size) {
    return Error{Code::kTooLarge, std::format("a {} tensor of shape {} is larger than 2^40 bytes",
                                              name_of(type), shape.text())};
  }
  return count * size;
}

Result<Tensor> Tensor::make(ElementType type, const Shape& shape, std::string bytes) {
  const uint64_t size = TRY(tensor_bytes(type, shape));
  if (size != bytes.size()) {
    return Error{Code::kInvalid,
                 std::format("a {} tensor of shape {} has {} bytes of data, it needs {}",
                             name_of(type), shape.text(), bytes.size(), size)};
  }
  return Tensor(type, shape, size / size_of(type), std::move(bytes));
}

Result<Tensor> Tensor::zeros(ElementType type, const Shape& shape) {
  const uint64_t size = TRY(tensor_bytes(type, shape));
  return make(type, shape, std::string(size, '\0'));
}

Tensor Tensor::reshaped(const Shape& shape) const {
  const auto count = shape.element_count();
  CHECK(count && *count == count_, "reshaping keeps the element count");
  return {type_, shape, count_, bytes_};
}

}  // namespace casemate::engine
