// SPDX-License-Identifier: Apache-2.0
#pragma once
// Address: where the gateway listens, as ADDRESS:PORT in text.
//
//   Owns     values.
//   Threads  values.
//   Trust    the operator's own text.
//   Fails    kInvalid with the text and the form that is expected.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace casemate::launch {

struct Address {
  static constexpr std::string_view kForm =
      "ADDRESS:PORT with a port from 0 to 65535, for example 127.0.0.1:8443 or [::1]:8443";

  std::string host;  // without the brackets of an IPv6 address
  uint16_t port = 0;

  static Result<Address> parse(std::string_view text);
};

}  // namespace casemate::launch
