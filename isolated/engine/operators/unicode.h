// SPDX-License-Identifier: Apache-2.0
#pragma once
// Unicode text, as far as operators on text need it: code points out of UTF-8 and back, and the
// upper and lower case of a letter. The same on every machine: no locale is asked.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    text may be any bytes.
//   Fails    code_points() yields nothing for what is no UTF-8 (RFC 3629).

#include <optional>
#include <string>
#include <string_view>

namespace casemate::engine {

std::optional<std::u32string> code_points(std::string_view text);
// Requires: they are such as code_points() yields.
std::string utf8(std::u32string_view points);

// The letter itself where it has no other case, or only one of several letters.
char32_t lower_case(char32_t letter);
char32_t upper_case(char32_t letter);

}  // namespace casemate::engine
