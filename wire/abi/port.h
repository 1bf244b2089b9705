// SPDX-License-Identifier: Apache-2.0
#pragma once
// Port: where a server listens, and where a client looks for one, unless they are told otherwise.
//
//   Owns     nothing.
//   Threads  a constant.
//   Trust    whoever answers there may be anybody.
//   Fails    cannot.

#include <cstdint>

namespace casemate {

// Next to 443, and free for ordinary users.
inline constexpr uint16_t kDefaultPort = 8443;

}  // namespace casemate
