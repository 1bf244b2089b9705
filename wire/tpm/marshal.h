// SPDX-License-Identifier: Apache-2.0
#pragma once
// TpmWriter and TpmReader: how a TPM writes numbers and lengths (TPM 2.0 Library, part 2): numbers
// are big-endian, and a TPM2B is a 16-bit length and as many bytes.
//
//   Owns     the writer its bytes; the reader borrows those that it was given.
//   Threads  values.
//   Trust    what is read may be hostile: each length is compared with what is left before use.
//   Fails    the reader, with kInvalid and what was being read; the writer cannot.

#include <concepts>

#include "base/bytes.h"
#include "base/check.h"
#include "base/format.h"

namespace casemate {

class TpmWriter final {
 public:
  template <std::unsigned_integral T>
  TpmWriter& number(T value) {
    for (int shift = 8 * (sizeof(T) - 1); shift >= 0; shift -= 8)
      out_.push_back(static_cast<uint8_t>(value >> shift));
    return *this;
  }
  TpmWriter& u8(uint8_t value) { return number(value); }
  TpmWriter& u16(uint16_t value) { return number(value); }
  TpmWriter& u32(uint32_t value) { return number(value); }
  TpmWriter& bytes(Bytes bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  // Requires: fewer than 65,536 bytes.
  TpmWriter& sized(Bytes content) {
    CHECK(content.size() <= 0xFFFF, "a TPM2B has at most 65,535 bytes");
    return u16(static_cast<uint16_t>(content.size())).bytes(content);
  }
  [[nodiscard]] Bytes view() const { return out_; }
  std::vector<uint8_t> take() { return std::move(out_); }

 private:
  std::vector<uint8_t> out_;
};

class TpmReader final {
 public:
  explicit TpmReader(Bytes data) : left_(data) {}

  Result<Bytes> bytes(size_t size, std::string_view what) {
    if (left_.size() < size)
      return Error{Code::kInvalid, formatted("{} has {} of {} bytes", what, left_.size(), size)};
    const Bytes taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  template <std::unsigned_integral T>
  Result<T> number(std::string_view what) {
    T value = 0;
    for (const uint8_t byte : TRY(bytes(sizeof(T), what)))
      value = static_cast<T>(uint64_t{value} << 8 | byte);
    return value;
  }
  Result<uint8_t> u8(std::string_view what) { return number<uint8_t>(what); }
  Result<uint16_t> u16(std::string_view what) { return number<uint16_t>(what); }
  Result<uint32_t> u32(std::string_view what) { return number<uint32_t>(what); }
  Result<Bytes> sized(std::string_view what) { return bytes(TRY(u16(what)), what); }
  [[nodiscard]] Bytes left() const { return left_; }
  Status end(std::string_view what) const {
    if (left_.empty()) return {};
    return Error{Code::kInvalid, formatted("{} has {} bytes too many", what, left_.size())};
  }

 private:
  Bytes left_;
};

}  // namespace casemate
