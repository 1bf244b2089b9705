// SPDX-License-Identifier: Apache-2.0
#pragma once
// Numbers as text and back, as Cast writes and reads them.
//
// Written as NumPy does: as few digits as tell a number from its neighbours, plain from 1e-4 to
// 1e16 and with an exponent outside ("0.1", "3.0", "1e-05"); but "NaN", "INF" and "-INF", which
// are the names that ONNX gives them. Read as Python does: spaces around it, a sign, digits with or
// without a point and an exponent; "nan", "inf" and "infinity" in any case.
//
//   Owns     nothing.
//   Threads  pure functions; no locale.
//   Trust    texts may be any.
//   Fails    reading with kInvalid for what is no number.

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "isolated/engine/operators/elements.h"

namespace casemate::engine {

// A number in scientific notation, as std::to_chars writes it.
std::string laid_out(std::string_view scientific);

template <class T>
std::string number_text(T number) {
  std::array<char, 64> buffer;
  char* const end = buffer.data() + buffer.size();
  if constexpr (std::is_same_v<T, bool>) {
    return number ? "True" : "False";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(number);
  } else {
    const auto value = widened(number);
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-INF" : "INF";
    auto written = std::to_chars(buffer.data(), end, value, std::chars_format::scientific);
    // The fewest digits of a 16-bit float: at most 5 in all.
    for (int digits = 0; !std::is_same_v<Wide<T>, T> && digits < 5; ++digits) {
      written = std::to_chars(buffer.data(), end, value, std::chars_format::scientific, digits);
      Wide<T> back = 0;
      std::from_chars(buffer.data(), written.ptr, back);
      if (static_cast<T>(back) == number) break;
    }
    return laid_out({buffer.data(), written.ptr});
  }
}

// What a text means as a real number, infinite when it is too large.
Result<double> real_from(std::string_view text);

// A text without the spaces around it, and without a leading plus.
std::string_view bare(std::string_view text);

// What a text means as a number of T. Fractions of integers are cut off, and what T cannot hold
// becomes as in converted().
template <class T>
Result<T> number_from(std::string_view text) {
  const std::string_view digits = bare(text);
  if constexpr (std::is_same_v<T, bool>) {
    if (digits == "True" || digits == "true") return true;
    if (digits == "False" || digits == "false") return false;
  } else if constexpr (std::is_integral_v<T>) {
    // A double would lose digits of 64-bit integers.
    T exact = 0;
    const char* const end = digits.data() + digits.size();
    const auto [last, error] = std::from_chars(digits.data(), end, exact);
    if (error == std::errc{} && last == end) return exact;
  }
  return converted<T>(TRY(real_from(text)));
}

}  // namespace casemate::engine
