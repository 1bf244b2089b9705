// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/grpc/typed_contents.h"

#include <string_view>
#include <utility>

#include "base/format.h"
#include "isolated/gateway/grpc/fields.h"
#include "isolated/gateway/protocol/elements.h"

namespace casemate::gateway {
namespace {

using Wire = FieldReader::Wire;

// Which list of InferTensorContents has the elements of a type.
struct List {
  uint32_t field = 0;
  std::string_view name;
};

List list_of(ElementType type) {
  switch (type) {
    case ElementType::kBool:
      return {1, "bool_contents"};
    case ElementType::kInt8:
    case ElementType::kInt16:
    case ElementType::kInt32:
      return {2, "int_contents"};
    case ElementType::kInt64:
      return {3, "int64_contents"};
    case ElementType::kUint8:
    case ElementType::kUint16:
    case ElementType::kUint32:
      return {4, "uint_contents"};
    case ElementType::kUint64:
      return {5, "uint64_contents"};
    case ElementType::kFloat32:
      return {6, "fp32_contents"};
    case ElementType::kFloat64:
      return {7, "fp64_contents"};
    case ElementType::kString:
      return {8, "bytes_contents"};
    default:
      return {};
  }
}

template <class T>
void append(TypedContents& out, T value) {
  const Bytes bytes = bytes_of(value);
  out.bytes.insert(out.bytes.end(), bytes.begin(), bytes.end());
  ++out.count;
}

template <class T, class Wide>
Status append_narrow(TypedContents& out, ElementType type, Wide value) {
  if (!std::in_range<T>(value))
    return Error{Code::kInvalid, formatted("element {} is {}, beyond the range of {}", out.count,
                                           value, name_of(type))};
  append(out, static_cast<T>(value));
  return {};
}

// A varint as an element.
Status append_whole(TypedContents& out, ElementType type, uint64_t value) {
  const auto integer = static_cast<int64_t>(value);
  switch (type) {
    case ElementType::kBool:
      return append_narrow<uint8_t>(out, type, static_cast<uint64_t>(value != 0));
    case ElementType::kInt8:
      return append_narrow<int8_t>(out, type, integer);
    case ElementType::kInt16:
      return append_narrow<int16_t>(out, type, integer);
    case ElementType::kInt32:
      return append_narrow<int32_t>(out, type, integer);
    case ElementType::kInt64:
      return append_narrow<int64_t>(out, type, integer);
    case ElementType::kUint8:
      return append_narrow<uint8_t>(out, type, value);
    case ElementType::kUint16:
      return append_narrow<uint16_t>(out, type, value);
    case ElementType::kUint32:
      return append_narrow<uint32_t>(out, type, value);
    default:
      return append_narrow<uint64_t>(out, type, value);
  }
}

Error broken(const List& list) {
  return {Code::kInvalid, formatted("{} are not as protobuf writes them", list.name)};
}

// Elements of a fixed size, packed: they lie in the message as in a tensor.
Status append_fixed(TypedContents& out, ElementType type, const List& list, Bytes packed) {
  const size_t size = size_of(type);
  if (packed.size() % size != 0) return broken(list);
  out.bytes.insert(out.bytes.end(), packed.begin(), packed.end());
  out.count += packed.size() / size;
  return {};
}

Status append_field(TypedContents& out, ElementType type, const List& list,
                    const FieldReader& field) {
  const bool single = type == ElementType::kFloat32;
  const bool real = single || type == ElementType::kFloat64;
  if (type == ElementType::kString) {
    if (field.wire() != Wire::kBytes) return broken(list);
    append_string_element(out.bytes, field.text());
    ++out.count;
    return {};
  }
  if (field.wire() == Wire::kBytes) {
    if (real) return append_fixed(out, type, list, field.bytes());
    Bytes packed = field.bytes();
    uint64_t value = 0;
    while (!packed.empty()) {
      if (!take_varint(packed, value)) return broken(list);
      TRY(append_whole(out, type, value));
    }
    return {};
  }
  if (!real && field.wire() == Wire::kVarint) return append_whole(out, type, field.value());
  if (single && field.wire() == Wire::kFixed32) {
    append(out, static_cast<uint32_t>(field.value()));
    return {};
  }
  if (type != ElementType::kFloat64 || field.wire() != Wire::kFixed64) return broken(list);
  append(out, field.value());
  return {};
}

}  // namespace

Result<TypedContents> read_typed_contents(ElementType type, std::span<const Bytes> messages) {
  TypedContents out;
  const List list = list_of(type);
  if (list.field == 0)
    return Error{Code::kInvalid,
                 formatted("{} has no typed form; send it in raw_input_contents", name_of(type))};
  for (const Bytes message : messages) {
    FieldReader field(message);
    while (field.next()) {
      if (field.number() == list.field) {
        TRY(append_field(out, type, list, field));
      } else if (field.number() <= 8) {
        return Error{Code::kInvalid,
                     formatted("{} takes {} and nothing else", name_of(type), list.name)};
      }
    }
    if (field.broken()) return broken(list);
  }
  return out;
}

}  // namespace casemate::gateway
