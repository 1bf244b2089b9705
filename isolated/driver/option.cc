// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/option.h"

#include <charconv>

#include "base/format.h"
#include "base/log.h"

namespace casemate::driver {

Result<uint32_t> device_number(std::string_view options) {
  constexpr std::string_view kKey = "device=";
  if (options.starts_with(kKey)) {
    const char* const last = options.data() + options.size();
    uint32_t number = 0;
    const auto [end, wrong] = std::from_chars(options.data() + kKey.size(), last, number);
    if (wrong == std::errc() && end == last) return number;
  }
  return Error{Code::kInvalid,
               formatted("'{}' is no option of a device: it should be device=N, with a number "
                         "such as 0",
                         printable(options))};
}

}  // namespace casemate::driver
