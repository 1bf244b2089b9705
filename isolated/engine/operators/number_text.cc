// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/number_text.h"

#include <cstdlib>

#include "base/format.h"

namespace casemate::engine {

std::string laid_out(std::string_view scientific) {
  const size_t mark = scientific.find('e');
  const bool negative = scientific.starts_with('-');
  std::string digits;
  for (const char c : scientific.substr(0, mark)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  int exponent = 0;
  const std::string_view power = bare(scientific.substr(mark + 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);
  std::string text = negative ? "-" : "";
  if (exponent < 0)
    return text + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) digits.append(whole + 1 - digits.size(), '0');
  return text + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string_view bare(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\n\v\f\r";
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
  const bool plus = text.starts_with('+') && !text.starts_with("+-");
  return plus ? text.substr(1) : text;
}

Result<double> real_from(std::string_view text) {
  const std::string_view digits = bare(text);
  const char* const end = digits.data() + digits.size();
  double number = 0;
  const auto [last, error] = std::from_chars(digits.data(), end, number);
  if (error == std::errc::invalid_argument || last != end) {
    return Error{Code::kInvalid, formatted("the text '{}' is no number", text.substr(0, 32))};
  }
  // Too large or too small; strtod says which.
  if (error == std::errc::result_out_of_range)
    return std::strtod(std::string(digits).c_str(), nullptr);
  return number;
}

}  // namespace casemate::engine
