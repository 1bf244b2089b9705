// SPDX-License-Identifier: Apache-2.0
#pragma once
// The head of an answer (RFC 9112, section 4).
//
//   Owns     nothing: appends to the caller's string.
//   Threads  pure functions.
//   Trust    all values are ours.
//   Fails    never.

#include <string>
#include <string_view>

#include "isolated/gateway/http/message.h"

namespace casemate::gateway {

void append_response_head(std::string& out, const Response& response, uint64_t body_size,
                          std::string_view date, bool last, bool old_version);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7).
std::string http_date(int64_t unix_seconds);

}  // namespace casemate::gateway
