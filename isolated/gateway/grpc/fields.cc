// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/grpc/fields.h"

namespace casemate::gateway {
namespace {

constexpr uint32_t kNumberMax = (1u << 29) - 1;

}  // namespace

bool take_varint(Bytes& bytes, uint64_t& value) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size() && i < 10; ++i) {
    const uint64_t part = bytes[i] & 0x7f;
    if (i == 9 && part > 1) return false;
    sum |= part << (7 * i);
    if ((bytes[i] & 0x80) != 0) continue;
    bytes = bytes.subspan(i + 1);
    value = sum;
    return true;
  }
  return false;
}

bool FieldReader::fail() {
  broken_ = true;
  left_ = {};
  return false;
}

bool FieldReader::next() {
  if (left_.empty()) return false;
  uint64_t tag = 0;
  if (!take_varint(left_, tag)) return fail();
  if ((tag >> 3) == 0 || (tag >> 3) > kNumberMax) return fail();
  number_ = static_cast<uint32_t>(tag >> 3);
  wire_ = static_cast<Wire>(tag & 7);
  bytes_ = {};
  uint64_t size = 0;
  switch (wire_) {
    case Wire::kVarint:
      return take_varint(left_, value_) || fail();
    case Wire::kFixed64:
      if (left_.size() < sizeof(uint64_t)) return fail();
      value_ = load<uint64_t>(left_);
      left_ = left_.subspan(sizeof(uint64_t));
      return true;
    case Wire::kFixed32:
      if (left_.size() < sizeof(uint32_t)) return fail();
      value_ = load<uint32_t>(left_);
      left_ = left_.subspan(sizeof(uint32_t));
      return true;
    case Wire::kBytes:
      if (!take_varint(left_, size) || size > left_.size()) return fail();
      bytes_ = left_.first(size);
      left_ = left_.subspan(size);
      return true;
  }
  return fail();
}

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void append_length(std::string& out, uint32_t field, uint64_t size) {
  append_varint(out, field << 3 | static_cast<uint32_t>(FieldReader::Wire::kBytes));
  append_varint(out, size);
}

FieldWriter& FieldWriter::number(uint32_t field, uint64_t value) {
  if (value == 0) return *this;
  append_varint(out_, field << 3 | static_cast<uint32_t>(FieldReader::Wire::kVarint));
  append_varint(out_, value);
  return *this;
}

FieldWriter& FieldWriter::text(uint32_t field, std::string_view value) {
  return value.empty() ? *this : element(field, value);
}

FieldWriter& FieldWriter::element(uint32_t field, std::string_view value) {
  append_length(out_, field, value.size());
  out_ += value;
  return *this;
}

FieldWriter& FieldWriter::packed(uint32_t field, std::span<const int64_t> values) {
  std::string list;
  for (const int64_t value : values) append_varint(list, static_cast<uint64_t>(value));
  return text(field, list);
}

}  // namespace casemate::gateway
