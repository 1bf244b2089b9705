// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tensor: a constant of a model; element type, shape and its own bytes in row-major order.
//
//   Owns     its bytes, aligned for every element type.
//   Threads  a value type.
//   Trust    byte count and shape agree; make() refuses otherwise.
//   Fails    make() as documented; views of the wrong type are a bug.

#include <span>
#include <string>

#include "base/check.h"
#include "wire/abi/tensor.h"

namespace casemate::engine {

// Bytes of a tensor inside the engine. Not limits::kTensorBytes, which bounds what crosses a wall:
// weights may be larger (VGG's are), and the model's memory limit bounds their sum. Fails with
// kInvalid on a negative extent, kTooLarge beyond 2^40.
Result<uint64_t> tensor_bytes(ElementType type, const Shape& shape);

// The element type of a C++ type.
template <class T>
consteval ElementType element_type_of() {
  if constexpr (std::is_same_v<T, float>) return ElementType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return ElementType::kFloat64;
  if constexpr (std::is_same_v<T, int32_t>) return ElementType::kInt32;
  if constexpr (std::is_same_v<T, int64_t>) return ElementType::kInt64;
  if constexpr (std::is_same_v<T, uint8_t>) return ElementType::kUint8;
  if constexpr (std::is_same_v<T, int8_t>) return ElementType::kInt8;
  if constexpr (std::is_same_v<T, bool>) return ElementType::kBool;
  return ElementType::kNone;
}

class Tensor final {
 public:
  // Takes the bytes over. A string, because that is what protobuf can give away without a copy.
  // Fails with kInvalid when their count is not what type and shape need, and as tensor_bytes().
  static Result<Tensor> make(ElementType type, const Shape& shape, std::string bytes);
  // Zeros. Fails as tensor_bytes().
  static Result<Tensor> zeros(ElementType type, const Shape& shape);

  // A tensor of T from its values. Requires: as many values as the shape has elements.
  template <class T>
  static Tensor of(const Shape& shape, std::span<const T> values) {
    const Bytes bytes = bytes_of_span(values);
    auto tensor = make(element_type_of<T>(), shape, std::string(text_of(bytes)));
    CHECK(tensor.has_value(), "shape and values of a literal tensor agree");
    return *std::move(tensor);
  }
  template <class T>
  static Tensor of(const Shape& shape, std::initializer_list<T> values) {
    return of(shape, std::span<const T>(values.begin(), values.size()));
  }

  [[nodiscard]] ElementType type() const { return type_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] Bytes bytes() const { return bytes_of(std::string_view(bytes_)); }

  // The elements. Requires: T is the tensor's element type.
  template <class T>
  [[nodiscard]] std::span<const T> values() const {
    CHECK(element_type_of<T>() == type_, "a tensor is read as the type it has");
    return {static_cast<const T*>(static_cast<const void*>(bytes_.data())), count_};
  }
  template <class T>
  [[nodiscard]] std::span<T> values() {
    CHECK(element_type_of<T>() == type_, "a tensor is written as the type it has");
    return {static_cast<T*>(static_cast<void*>(bytes_.data())), count_};
  }

  // The same elements under another shape. Requires: an equal element count.
  [[nodiscard]] Tensor reshaped(const Shape& shape) const;

 private:
  Tensor(ElementType type, const Shape& shape, uint64_t count, std::string bytes)
      : type_(type), shape_(shape), count_(count), bytes_(std::move(bytes)) {}

  template <class T>
  static Bytes bytes_of_span(std::span<const T> values) {
    return {static_cast<const uint8_t*>(static_cast<const void*>(values.data())),
            values.size_bytes()};
  }

  ElementType type_;
  Shape shape_;
  uint64_t count_;
  std::string bytes_;
};

}  // namespace casemate::engine
