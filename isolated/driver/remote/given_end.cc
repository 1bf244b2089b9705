// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/remote/given_end.h"

#include <fcntl.h>

#include <array>
#include <charconv>

#include "base/format.h"
#include "base/limits.h"
#include "base/log.h"

namespace casemate::driver {
namespace {

constexpr uint64_t kDescriptorMax = 1024;
constexpr uint64_t kBulkMax = 1ull << 40;

}  // namespace

Result<srpc::StreamEnd> given_end(std::string_view word) {
  const Error senseless{Code::kInvalid, formatted("'{}' is no end of a stream", printable(word))};
  std::array<uint64_t, 4> numbers{};
  const char* at = word.data();
  const char* const end = word.data() + word.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != ':')) return senseless;
    const auto [stop, wrong] = std::from_chars(at, end, numbers[i]);
    if (wrong != std::errc()) return senseless;
    at = stop;
  }
  const auto [first, slots, in, out] = numbers;
  if (at != end || first < 3 || first > kDescriptorMax || slots > limits::kStreamSlots || in == 0 ||
      in > kBulkMax || out == 0 || out > kBulkMax)
    return senseless;
  const auto number = static_cast<int>(first);
  for (int i = 0; i < 4; ++i) {
    if (::fcntl(number + i, F_GETFD) < 0) return senseless;
  }
  return srpc::StreamEnd{{1},
                         {1},
                         static_cast<uint32_t>(slots),
                         in,
                         out,
                         Fd(number),
                         Fd(number + 1),
                         Fd(number + 2),
                         Fd(number + 3),
                         Fd()};
}

}  // namespace casemate::driver
