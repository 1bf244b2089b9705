// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes: views of memory, little-endian loads, hexadecimal text, fixed-size text fields.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace casemate {

using Bytes = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;
template <size_t N>
using ByteArray = std::array<uint8_t, N>;

// The bytes of a trivially copyable value, in place.
template <class T>
Bytes bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {static_cast<const uint8_t*>(static_cast<const void*>(&value)), sizeof value};
}
template <class T>
MutableBytes mutable_bytes_of(T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {static_cast<uint8_t*>(static_cast<void*>(&value)), sizeof value};
}
inline Bytes bytes_of(std::string_view text) {
  return {static_cast<const uint8_t*>(static_cast<const void*>(text.data())), text.size()};
}
inline std::string_view text_of(Bytes bytes) {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

// A copy of the T at the front of `bytes`. Requires: bytes.size() >= sizeof(T).
template <class T>
T load(Bytes bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string to_hex(Bytes bytes);
// Fails with kInvalid on an odd length or a character that is no hexadecimal digit.
Result<std::vector<uint8_t>> from_hex(std::string_view text);

// A fixed-size, NUL-padded text field of a wire structure. The last byte is always NUL in a valid
// field.
template <size_t N>
struct Text {
  std::array<char, N> characters{};

  // Copies `text`, cut to N-1 bytes.
  static Text from(std::string_view text) {
    Text field;
    std::copy_n(text.begin(), std::min(text.size(), N - 1), field.characters.begin());
    return field;
  }
  // Everything before the first NUL; at most N-1 bytes even when a peer left the NUL out.
  [[nodiscard]] std::string_view view() const {
    const auto end = std::find(characters.begin(), characters.end() - 1, '\0');
    return {characters.data(), static_cast<size_t>(end - characters.begin())};
  }
  // True when the field ends with NUL and is zero behind the text, the only form that we write.
  [[nodiscard]] bool canonical() const {
    return std::all_of(characters.begin() + static_cast<std::ptrdiff_t>(view().size()),
                       characters.end(), [](char c) { return c == '\0'; });
  }
};

}  // namespace casemate
