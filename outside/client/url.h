// SPDX-License-Identifier: Apache-2.0
#pragma once
// Url: where a server is, as the user wrote it: https://HOST:PORT.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the user's own word.
//   Fails    parse_url() with kInvalid and what the form should be.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/abi/port.h"

namespace casemate::client {

struct Url {
  std::string host;  // a name, or an address without brackets
  uint16_t port = kDefaultPort;

  // HOST:PORT, with brackets around an IPv6 address.
  [[nodiscard]] std::string authority() const;
};

// "https://HOST[:PORT][/]". Another scheme, a path, a query and credentials are refused: a server
// without TLS could be anybody.
Result<Url> parse_url(std::string_view text);

// `text` as one path segment or query value (RFC 3986, section 2).
std::string percent_encoded(std::string_view text);

}  // namespace casemate::client
