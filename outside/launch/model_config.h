// SPDX-License-Identifier: Apache-2.0
#pragma once
// Triton's model configuration (config.pbtxt, protobuf text format), as far as it is read: which
// settings stand in it. None is followed, so each is named to the operator instead.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    the operator's own text, which another tool wrote; every byte may be wrong.
//   Fails    settings_in() with kInvalid and the line; config_warning() says so in its sentence.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace casemate::launch {

// The names of the fields of the outermost message, in order, each once.
// (protobuf.dev/reference/protobuf/textformat-spec)
Result<std::vector<std::string>> settings_in(std::string_view text);

// What that file asks for and does not get, as one line; empty when there is nothing of that kind.
std::string config_warning(const std::string& path);

}  // namespace casemate::launch
