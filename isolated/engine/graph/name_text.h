// SPDX-License-Identifier: Apache-2.0
#pragma once
// Name text: what a message says of a name in a file. Such a name can be as long as the file and
// hold anything; a message has to stay one that a terminal shows, with room for its reason.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    text may be any bytes.
//   Fails    cannot.

#include <string>
#include <string_view>

namespace casemate::engine {

inline constexpr size_t kNameTextMax = 200;

// `text` with '?' for what is no UTF-8 (RFC 3629), for control characters, and for those that turn
// the direction of a line; of more than `bytes_max` bytes the beginning and the end, with "..." for
// what is between. Requires: bytes_max is at least 16.
std::string legible(std::string_view text, size_t bytes_max);

// The name, legible and no longer than kNameTextMax.
std::string name_text(std::string_view name);

}  // namespace casemate::engine
