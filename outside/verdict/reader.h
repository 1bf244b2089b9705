// SPDX-License-Identifier: Apache-2.0
#pragma once
// ByteReader: takes little-endian fields off the front of hostile bytes, one after the other.
//
// A field that does not fit yields zeros and makes every later one do the same; the caller reads a
// whole structure and asks once, with finished() or failed(), whether it was there.
//
//   Owns     nothing: what it returns are views of the bytes that it was given.
//   Threads  as an iterator.
//   Trust    the bytes may be hostile: every size is compared with what is left before use.
//   Fails    by failed(), after which all values are zero and all views are empty.

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"

namespace casemate::verify {

class ByteReader final {
 public:
  explicit ByteReader(Bytes data) : data_(data) {}

  // The next `size` bytes; empty when fewer are left.
  Bytes bytes(size_t size) {
    if (failed_ || size > left()) {
      failed_ = true;
      return {};
    }
    at_ += size;
    return data_.subspan(at_ - size, size);
  }
  // A copy of the next N bytes.
  template <size_t N>
  ByteArray<N> array() {
    ByteArray<N> value{};
    std::ranges::copy(bytes(N), value.begin());
    return value;
  }
  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  void skip(size_t size) { bytes(size); }

  // What is left, which stays there.
  [[nodiscard]] Bytes rest() const { return data_.subspan(at_); }
  [[nodiscard]] size_t left() const { return data_.size() - at_; }
  [[nodiscard]] size_t offset() const { return at_; }  // where a failed reader stopped
  [[nodiscard]] bool failed() const { return failed_; }
  // Everything was read, and nothing is left.
  [[nodiscard]] bool finished() const { return !failed_ && left() == 0; }

 private:
  uint64_t number(size_t size) {
    uint64_t value = 0;
    int shift = 0;
    for (const uint8_t byte : bytes(size)) {
      value |= uint64_t{byte} << shift;
      shift += 8;
    }
    return value;
  }
  Bytes data_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace casemate::verify
