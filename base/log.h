// SPDX-License-Identifier: Apache-2.0
#pragma once
// Log: one line on stderr per event, `name: text`. No levels, no sinks: what an operator must know
// is printed, what he may not see is not. Text is stripped of control characters, so no peer can
// write to a terminal.

#include <format>
#include <string>
#include <string_view>

#include "base/format.h"

namespace casemate {

// The first word of every line of this process, such as "monitor". Requires: called before threads
// start.
void log_as(std::string_view name);

void log_line(std::string_view text);

// `text` with everything but printable ASCII replaced by '?', cut to `length_max` bytes.
std::string printable(std::string_view text, size_t length_max = 400);

template <class... Args>
void log(std::format_string<Args...> format, Args&&... args) {
  log_line(formatted(format, std::forward<Args>(args)...));
}

}  // namespace casemate
