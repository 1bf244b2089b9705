// SPDX-License-Identifier: Apache-2.0
#pragma once
// Fields: protobuf's wire format (protobuf.dev, "Encoding"), field by field, where it lies.
//
//   message = field field ...      field = varint(number << 3 | wire type) | value
//
//   Owns     the reader nothing: what it gives are views into the message.
//   Threads  as a value.
//   Trust    the bytes are a client's: every length is held against what is left; groups, varints
//            beyond 64 bits and field number 0 are broken.
//   Fails    next() returns false, and broken() says whether that was the end.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace casemate::gateway {

class FieldReader final {
 public:
  enum class Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  explicit FieldReader(Bytes message) : left_(message) {}

  // Steps to the next field.
  bool next();
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] uint32_t number() const { return number_; }
  [[nodiscard]] Wire wire() const { return wire_; }
  [[nodiscard]] bool is(uint32_t number, Wire wire) const {
    return number_ == number && wire_ == wire;
  }
  // Of a varint or a fixed field.
  [[nodiscard]] uint64_t value() const { return value_; }
  // Of a field with a length.
  [[nodiscard]] Bytes bytes() const { return bytes_; }
  [[nodiscard]] std::string_view text() const { return text_of(bytes_); }

 private:
  bool fail();
  Bytes left_;
  Bytes bytes_;
  uint64_t value_ = 0;
  uint32_t number_ = 0;
  Wire wire_ = Wire::kVarint;
  bool broken_ = false;
};

// Takes a varint off the front; false, with nothing taken, when there is none.
bool take_varint(Bytes& bytes, uint64_t& value);

// Writes fields at the end of a text. Values that are protobuf's defaults are left out, as every
// writer of version 3 does.
class FieldWriter final {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}
  FieldWriter& number(uint32_t field, uint64_t value);
  FieldWriter& text(uint32_t field, std::string_view value);
  // Also where it is empty.
  FieldWriter& element(uint32_t field, std::string_view value);
  // Repeated whole numbers, packed; negative ones as 64 bits.
  FieldWriter& packed(uint32_t field, std::span<const int64_t> values);

 private:
  std::string& out_;
};

void append_varint(std::string& out, uint64_t value);
// What stands before the bytes of a field with a length.
void append_length(std::string& out, uint32_t field, uint64_t size);

}  // namespace casemate::gateway
