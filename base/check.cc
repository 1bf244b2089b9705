// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <unistd.h>

#include <cstdlib>

#include "base/format.h"

namespace casemate {

void check_failed(const char* file, int line, const char* condition, const char* why) {
  const std::string text = formatted("{}:{}: bug: {}: {}\n", file, line, condition, why);
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
  std::abort();
}

}  // namespace casemate
