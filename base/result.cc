// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "base/format.h"

namespace casemate {
namespace {

constexpr std::array<std::string_view, 11> kNames = {
    "ok",     "invalid",          "not found", "unsupported", "too large", "unavailable",
    "denied", "partition failed", "timed out", "cancelled",   "platform",
};

}  // namespace

std::string_view name_of(Code code) {
  return kNames[static_cast<uint32_t>(code_from(static_cast<uint32_t>(code)))];
}

Code code_from(uint32_t number) {
  return number < kNames.size() ? static_cast<Code>(number) : Code::kPlatform;
}

Error errno_error(std::string_view what) {
  const int number = errno;
  std::array<char, 128> buffer{};
  return {Code::kPlatform,
          formatted("{}: {}", what, strerror_r(number, buffer.data(), buffer.size()))};
}

}  // namespace casemate
