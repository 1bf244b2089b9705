// SPDX-License-Identifier: Apache-2.0
#pragma once
// Elements: one JSON value after another into the bytes of a tensor, and BYTES elements in their
// wire form (a 4-byte little-endian length, then that many bytes).
//
//   Owns     Elements owns the bytes that it has written.
//   Threads  as a value.
//   Trust    every value is a client's: range and kind are checked against the element type.
//   Fails    put_* return false and why() is the sentence, without the tensor's name.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/abi/tensor.h"

namespace casemate::gateway {

class Elements final {
 public:
  // Fails with kInvalid for FP16 and BF16, which have no agreed JSON form.
  static Result<Elements> make(ElementType type, uint64_t count_expected);

  bool put_integer(int64_t value);
  bool put_natural(uint64_t value);
  // `literal` is the number as the client wrote it.
  bool put_real(double value, std::string_view literal);
  bool put_boolean(bool value);
  bool put_text(std::string_view value);

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] const std::string& why() const { return why_; }
  std::vector<uint8_t> take() { return std::move(bytes_); }

 private:
  explicit Elements(ElementType type) : type_(type) {}
  template <class Integer>
  bool put_whole(Integer value);
  template <class T>
  bool append(T value);
  bool refuse(std::string why);

  ElementType type_;
  uint64_t count_ = 0;
  std::vector<uint8_t> bytes_;
  std::string why_;
};

// Succeeds when `data` is exactly `count` BYTES elements.
Status check_strings(Bytes data, uint64_t count);
// The first BYTES element of `data`, which is moved behind it. Requires: check_strings() passed and
// data is not empty.
std::string_view next_string(Bytes& data);
void append_string_element(std::vector<uint8_t>& out, std::string_view text);

}  // namespace casemate::gateway
