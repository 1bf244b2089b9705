// SPDX-License-Identifier: Apache-2.0
#include "wire/abi/tensor.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"

namespace casemate {
namespace {

struct TypeFacts {
  ElementType type;
  std::string_view name;
  size_t size;
};

constexpr std::array<TypeFacts, 14> kTypes = {{
    {ElementType::kFloat32, "FP32", 4},
    {ElementType::kUint8, "UINT8", 1},
    {ElementType::kInt8, "INT8", 1},
    {ElementType::kUint16, "UINT16", 2},
    {ElementType::kInt16, "INT16", 2},
    {ElementType::kInt32, "INT32", 4},
    {ElementType::kInt64, "INT64", 8},
    {ElementType::kString, "BYTES", 0},
    {ElementType::kBool, "BOOL", 1},
    {ElementType::kFloat16, "FP16", 2},
    {ElementType::kFloat64, "FP64", 8},
    {ElementType::kUint32, "UINT32", 4},
    {ElementType::kUint64, "UINT64", 8},
    {ElementType::kBfloat16, "BF16", 2},
}};

const TypeFacts* facts_of(ElementType type) {
  const auto found = std::ranges::find(kTypes, type, &TypeFacts::type);
  return found == kTypes.end() ? nullptr : found;
}

}  // namespace

size_t size_of(ElementType type) {
  const TypeFacts* facts = facts_of(type);
  return facts == nullptr ? 0 : facts->size;
}

std::string_view name_of(ElementType type) {
  const TypeFacts* facts = facts_of(type);
  return facts == nullptr ? "NONE" : facts->name;
}

std::optional<ElementType> element_type_named(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &TypeFacts::name);
  if (found == kTypes.end()) return std::nullopt;
  return found->type;
}

std::optional<ElementType> element_type_from(uint32_t number) {
  const TypeFacts* facts = facts_of(static_cast<ElementType>(number));
  if (facts == nullptr) return std::nullopt;
  return facts->type;
}

Shape::Shape(std::span<const int64_t> dims) : rank_(static_cast<uint32_t>(dims.size())) {
  CHECK(dims.size() <= limits::kRank, "callers check the rank of what they import");
  std::ranges::copy(dims, dims_.begin());
}

bool Shape::known() const {
  return std::ranges::all_of(dims(), [](int64_t d) { return d >= 0; });
}

Result<uint64_t> Shape::element_count() const {
  // A zero anywhere makes the product zero, but not before every extent was seen to be sound.
  uint64_t count = 1;
  bool empty = false;
  for (const int64_t extent : dims()) {
    if (extent < 0)
      return Error{Code::kInvalid, formatted("shape {} has a negative extent", text())};
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, static_cast<uint64_t>(extent), &count) ||
               count > 1ull << 62) {
      return Error{Code::kTooLarge, formatted("shape {} has more than 2^62 elements", text())};
    }
  }
  return empty ? 0 : count;
}

Result<uint64_t> Shape::byte_size(ElementType type) const {
  const uint64_t count = TRY(element_count());
  const uint64_t size = size_of(type);
  if (size != 0 && count > limits::kTensorBytes / size) {
    return Error{Code::kTooLarge,
                 formatted("a {} tensor of shape {} is larger than the limit of {} MiB",
                           name_of(type), text(), limits::kTensorBytes >> 20)};
  }
  return count * size;
}

std::string Shape::text() const {
  std::string text = "[";
  for (const int64_t extent : dims()) {
    if (text.size() > 1) text += ',';
    text += std::to_string(extent);
  }
  return text + "]";
}

bool Shape::admits(const Shape& actual) const {
  return rank_ == actual.rank_ &&
         std::ranges::equal(dims(), actual.dims(),
                            [](int64_t want, int64_t have) { return want == -1 || want == have; });
}

}  // namespace casemate
