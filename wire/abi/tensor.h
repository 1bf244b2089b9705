// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tensors as they cross a wall: an element type, a shape, and bytes in row-major order,
// little-endian.
//
// Element types carry ONNX's numbers (onnx.proto, TensorProto.DataType), so importing is a range
// check; names are those of the Open Inference Protocol v2.
//
//   Owns     a Shape its extents; a TensorView nothing.
//   Threads  value types.
//   Trust    numbers of a peer become types in element_type_from(), sizes in byte_size().
//   Fails    kInvalid for a negative extent, kTooLarge beyond limits::kTensorBytes.

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace casemate {

enum class ElementType : uint32_t {
  kNone = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
};

// Bytes of one element; 0 for kNone and kString, whose elements have no fixed size.
size_t size_of(ElementType type);
// "FP32", "INT64", "BYTES", ...; "NONE" for a type that has no name in the protocol.
std::string_view name_of(ElementType type);
// The type of that protocol name, if there is one.
std::optional<ElementType> element_type_named(std::string_view name);
// The type of that number, if this build can hold such a tensor.
std::optional<ElementType> element_type_from(uint32_t number);

// The extents of a tensor, outermost first. Rank 0 is a scalar. -1 stands for "varies" in a model's
// description and never in a tensor.
class Shape final {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  // Requires: dims.size() <= limits::kRank.
  explicit Shape(std::span<const int64_t> dims);

  [[nodiscard]] uint32_t rank() const { return rank_; }
  [[nodiscard]] std::span<const int64_t> dims() const { return {dims_.data(), rank_}; }
  int64_t operator[](size_t axis) const { return dims_[axis]; }
  int64_t& operator[](size_t axis) { return dims_[axis]; }
  // True when no extent is negative.
  [[nodiscard]] bool known() const;
  // The product of the extents. Fails with kInvalid on a negative extent, kTooLarge when it passes
  // 2^62.
  [[nodiscard]] Result<uint64_t> element_count() const;
  // element_count() times the element size. Fails as it does, and with kTooLarge beyond
  // limits::kTensorBytes.
  [[nodiscard]] Result<uint64_t> byte_size(ElementType type) const;
  // "[1,3,224,224]"
  [[nodiscard]] std::string text() const;
  // True when `actual` has this rank and equals every extent that is not -1.
  [[nodiscard]] bool admits(const Shape& actual) const;

  friend bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && std::equal(a.dims().begin(), a.dims().end(), b.dims().begin());
  }

 private:
  std::array<int64_t, limits::kRank> dims_{};
  uint32_t rank_ = 0;
};

// A tensor that somebody else owns.
struct TensorView {
  ElementType type = ElementType::kNone;
  Shape shape;
  Bytes data;
};

}  // namespace casemate
