// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a quantised product's constants come to, for byte_product.h: the operands' zero points as
// sums, scales as factors, activations as limits.
//
//   Owns     the numbers that its epilogue points to.
//   Threads  immutable once made.
//   Trust    none in the node: types and counts are checked.
//   Fails    with kUnsupported for what the byte product does not do.

#include <optional>
#include <vector>

#include "isolated/engine/kernels/byte_product.h"
#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

// At which inputs of its node a product finds what it needs.
struct ByteInputs {
  size_t a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias;
};
// QLinearConv, QLinearMatMul, casemate:QLinearGemm.
inline constexpr ByteInputs kQuantizedInputs = {0, 1, 2, 3, 4, 5, 6, 7, 8};
// ConvInteger, MatMulInteger: no scales.
inline constexpr size_t kNoInput = SIZE_MAX;
inline constexpr ByteInputs kIntegerInputs = {0, kNoInput, 2,        1,       kNoInput,
                                              3, kNoInput, kNoInput, kNoInput};

struct ByteForm {
  byte_product::Epilogue epilogue = {};  // without pointers
  byte_product::Signs signs = {};
  int32_t a_zero = 0;
  std::vector<int32_t> bias;          // one per column; what A's zero point adds is in it
  std::vector<int32_t> b_zeros;       // of B as packed; empty where all are 0
  std::vector<float> scales;          // empty where the sums are the result
  std::optional<size_t> addend = {};  // the input that is added

  // An epilogue that points to the numbers above.
  [[nodiscard]] byte_product::Epilogue pointed() const;
};

// The form of a product with so many columns, whose bias lacks what A's zero point adds.
Result<ByteForm> byte_form(const KernelRequest& request, const ByteInputs& inputs, int64_t columns);
// Takes A's zero point into the bias: `sums` are those of B's columns as packed.
void compensate(ByteForm& form, const int32_t* sums, int64_t depth);

// The numbers of a constant of bytes, or 32-bit integers; none where it is left out, computed, or
// of another type.
std::optional<std::vector<int32_t>> integers_of(const KernelRequest& request, size_t input);
// The one number of a constant FP32, or of a constant byte.
std::optional<float> one_real(const KernelRequest& request, size_t input);
std::optional<int32_t> one_byte(const KernelRequest& request, size_t input);

// What a byte may be.
struct ByteRange {
  int32_t low, high;
};
inline ByteRange range_of(ElementType type) {
  return type == ElementType::kInt8 ? ByteRange{-128, 127} : ByteRange{0, 255};
}
inline bool byte_type(ElementType type) {
  return type == ElementType::kInt8 || type == ElementType::kUint8;
}

}  // namespace casemate::engine
