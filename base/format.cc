// SPDX-License-Identifier: Apache-2.0
#include "base/format.h"

namespace casemate::detail {

std::string formatted(std::string_view format, std::format_args arguments) {
  return std::vformat(format, arguments);
}

}  // namespace casemate::detail
