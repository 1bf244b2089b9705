// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tensor: element type, shape and elements in row-major order. A value: copies share their bytes
// until one of them is written to, so that a constant of a gigabyte is passed around for nothing.
//
//   Owns     its elements, or a share of them; a view() borrows them.
//   Threads  a value type; copies may be used by different threads, each by one. forget() and
//            settle() are for the one thread that loads a model.
//   Trust    byte count and shape agree; make() refuses otherwise. What bools and strings hold may
//            be anything.
//   Fails    make() as documented; reading as another type is a bug.

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "wire/abi/tensor.h"

namespace casemate::engine {

// Bytes of a tensor inside the engine. Not limits::kTensorBytes, which bounds what crosses a wall:
// weights may be larger (VGG's are), and the model's memory limit bounds their sum. Fails with
// kInvalid on a negative extent, kTooLarge beyond 2^40.
Result<uint64_t> tensor_bytes(ElementType type, const Shape& shape);

// The 16-bit floats, in which nothing is computed: elements are widened, and rounded when stored.
using Float16 = _Float16;
using Bfloat16 = __bf16;

// The element type of a C++ type.
template <class T>
consteval ElementType element_type_of() {
  if constexpr (std::is_same_v<T, float>) return ElementType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return ElementType::kFloat64;
  if constexpr (std::is_same_v<T, Float16>) return ElementType::kFloat16;
  if constexpr (std::is_same_v<T, Bfloat16>) return ElementType::kBfloat16;
  if constexpr (std::is_same_v<T, int64_t>) return ElementType::kInt64;
  if constexpr (std::is_same_v<T, int32_t>) return ElementType::kInt32;
  if constexpr (std::is_same_v<T, int16_t>) return ElementType::kInt16;
  if constexpr (std::is_same_v<T, int8_t>) return ElementType::kInt8;
  if constexpr (std::is_same_v<T, uint64_t>) return ElementType::kUint64;
  if constexpr (std::is_same_v<T, uint32_t>) return ElementType::kUint32;
  if constexpr (std::is_same_v<T, uint16_t>) return ElementType::kUint16;
  if constexpr (std::is_same_v<T, uint8_t>) return ElementType::kUint8;
  if constexpr (std::is_same_v<T, bool>) return ElementType::kBool;
  if constexpr (std::is_same_v<T, std::string>) return ElementType::kString;
  return ElementType::kNone;
}

// Where deferred elements can be read without being made, aligned for nothing.
struct LooseElements {
  Bytes bytes = {};
  // Told which of them were read, and will hardly be again.
  std::function<void(Bytes)> read = {};
};

class Tensor final {
 public:
  // Takes the bytes over. A string, because that is what protobuf can give away without a copy.
  // Fails with kInvalid when their count is not what type and shape need, and as tensor_bytes().
  static Result<Tensor> make(ElementType type, const Shape& shape, std::string bytes);
  // Zeros, or empty strings. Fails as tensor_bytes().
  static Result<Tensor> zeros(ElementType type, const Shape& shape);
  // Elements that hold nothing in particular until they are written. Fails as tensor_bytes().
  static Result<Tensor> unset(ElementType type, const Shape& shape);
  // A tensor of text. Fails with kInvalid when there are not as many as the shape has elements.
  static Result<Tensor> make(const Shape& shape, std::vector<std::string> strings);
  // The elements stay where they are, and are written there. Requires: as many bytes as type and
  // shape need, alive for as long as the view or a copy of it is used.
  static Tensor view(ElementType type, const Shape& shape, MutableBytes bytes);
  // The elements stay where they are until the tensor is written to. Requires: as above.
  static Tensor view(const TensorView& borrowed);

  // Elements that `make` makes when they are first asked for, always the same. Fails as
  // tensor_bytes(). Requires: it makes as many bytes as type and shape need.
  static Result<Tensor> deferred(ElementType type, const Shape& shape,
                                 std::function<std::string()> make, LooseElements loose = {});

  // A tensor of T from its values. Requires: as many values as the shape has elements.
  template <class T>
  static Tensor of(const Shape& shape, std::span<const T> values) {
    auto tensor = unset(element_type_of<T>(), shape);
    CHECK(tensor && tensor->count() == values.size(), "shape and values of a literal agree");
    std::ranges::copy(values, tensor->template values<T>().begin());
    return *std::move(tensor);
  }
  template <class T>
  static Tensor of(const Shape& shape, std::initializer_list<T> values) {
    return of(shape, std::span<const T>(values.begin(), values.size()));
  }

  [[nodiscard]] ElementType type() const { return type_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] uint64_t count() const { return count_; }
  // Empty for text.
  [[nodiscard]] Bytes bytes() const { return {data(), byte_count_}; }
  // The same in memory of their own; deferred elements are made for it alone. Requires: no text.
  [[nodiscard]] std::string copied() const;
  // The elements where they lie, aligned for nothing: deferred ones need not be made for it. They
  // are read once, front to back or not, and forgotten.
  [[nodiscard]] Bytes loose_bytes() const;
  // How many bytes that is, without making them.
  [[nodiscard]] uint64_t byte_count() const { return byte_count_; }
  // Unshares the elements. Requires: no text.
  [[nodiscard]] MutableBytes mutable_bytes();

  // The elements. Requires: T is the tensor's element type.
  template <class T>
  [[nodiscard]] std::span<const T> values() const {
    CHECK(element_type_of<T>() == type_, "a tensor is read as the type it has");
    if constexpr (std::is_same_v<T, std::string>) {
      return storage_->strings;
    } else {
      return {static_cast<const T*>(static_cast<const void*>(data())), count_};
    }
  }
  template <class T>
  [[nodiscard]] std::span<T> values() {
    CHECK(element_type_of<T>() == type_, "a tensor is written as the type it has");
    unshare();
    if constexpr (std::is_same_v<T, std::string>) {
      return storage_->strings;
    } else {
      return {static_cast<T*>(static_cast<void*>(data_)), count_};
    }
  }

  // The same elements under another shape. Requires: an equal element count.
  [[nodiscard]] Tensor reshaped(const Shape& shape) const;
  // True when both have the same type, shape and elements, bit by bit.
  friend bool operator==(const Tensor& a, const Tensor& b);
  // The same for tensors that are the same elements in memory, while one of them lives: what was
  // derived from one serves the others.
  [[nodiscard]] const void* identity() const {
    return data_ == nullptr ? static_cast<const void*>(storage_.get()) : data_;
  }

  [[nodiscard]] bool shares_with(const Tensor& other) const {
    return identity() == other.identity();
  }

  // True for elements that are made when they are asked for.
  [[nodiscard]] bool deferred() const { return data_ == nullptr && storage_ != nullptr; }
  // Frees elements that can be made again. Requires: nobody holds what bytes() or values() gave.
  void forget() const;
  // The same for a part of what loose_bytes() gave, which was read: [begin, begin + count).
  void forget(uint64_t begin, uint64_t count) const;
  // Makes deferred elements for good: what makes them is not called again.
  void settle() const;
  // True when a copy of it shares the elements.
  [[nodiscard]] bool shared() const { return storage_.use_count() > 1; }

 private:
  struct Storage {
    std::string bytes;
    std::vector<std::string> strings;
    std::function<std::string()> make;  // none: the elements are there
    LooseElements loose;
    std::mutex making;
  };

  Tensor(ElementType type, const Shape& shape, uint64_t count)
      : type_(type), shape_(shape), count_(count) {}
  [[nodiscard]] const uint8_t* data() const {
    return data_ == nullptr && storage_ != nullptr ? made() : data_;
  }
  const uint8_t* made() const;
  void keep(std::string bytes, std::vector<std::string> strings = {});
  void unshare();

  ElementType type_;
  Shape shape_;
  uint64_t count_;
  uint8_t* data_ = nullptr;  // none while the elements are deferred
  uint64_t byte_count_ = 0;
  bool borrowed_ = false;  // written to by nobody
  // Shared by copies, which come and go in no order; none for a view.
  std::shared_ptr<Storage> storage_;
};

}  // namespace casemate::engine
