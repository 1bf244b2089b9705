// SPDX-License-Identifier: Apache-2.0
#pragma once
// formatted(): std::format, of which the machinery is compiled once (base/format.cc) instead of in
// every file that makes a sentence: that took two of the three seconds that such a file takes to
// compile.

#include <format>
#include <string>
#include <string_view>

namespace casemate {

namespace detail {
std::string formatted(std::string_view format, std::format_args arguments);
}

// As std::format: the format is checked when it is compiled.
template <class... Args>
[[nodiscard]] std::string formatted(std::format_string<Args...> format, Args&&... arguments) {
  return detail::formatted(format.get(), std::make_format_args(arguments...));
}

}  // namespace casemate
