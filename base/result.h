// SPDX-License-Identifier: Apache-2.0
#pragma once
// Result<T>: a value, or a refusal with a closed code and a sentence.
//
// The sentence says what was wrong, where, and what the user can do; it stays on our side of a
// wall. Across a wall goes the code alone, because text leaks secrets.
//
//   Owns     its value or its error.
//   Threads  a value type: as safe as T.
//   Trust    codes that come from a peer are checked with code_from() first.
//   Fails    dereferencing an error is a bug and stops the process (libstdc++ assertion).

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace casemate {

// Everything that can be wrong, from the caller's point of view. Numbers are part of the ABI.
enum class Code : uint32_t {
  kOk = 0,
  kInvalid = 1,          // the request or the file is wrong: do not send it again
  kNotFound = 2,         // no such model, file, partition
  kUnsupported = 3,      // right, but beyond what this build can do
  kTooLarge = 4,         // over a limit of base/limits.h or of a manifest
  kUnavailable = 5,      // not now: busy, starting, given up; may be sent again later
  kDenied = 6,           // a policy, a verdict or a wall said no
  kPartitionFailed = 7,  // the other side died or lied; its work is lost
  kTimedOut = 8,
  kCancelled = 9,
  kPlatform = 10,  // the kernel or a library failed; errno is in the text
};

// The code's name as users see it, such as "invalid".
std::string_view name_of(Code code);

// The code that a peer sent as a number; kPlatform for a number that is none.
Code code_from(uint32_t number);

struct [[nodiscard]] Error {
  Code code = Code::kPlatform;
  std::string text;
};

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  Result(Error error) : std::expected<T, Error>(std::unexpect, std::move(error)) {}
  Result(Code code, std::string text)
      : std::expected<T, Error>(std::unexpect, Error{code, std::move(text)}) {}
};

using Status = Result<void>;

// kPlatform with `what` and the text of errno, for example "open /dev/null: Permission denied".
Error errno_error(std::string_view what);

namespace detail {
// operator* is [[nodiscard]]; a TRY() whose value nobody wants is none the less complete.
template <class R>
constexpr decltype(auto) value_of(R&& result) {
  return *std::forward<R>(result);
}
}  // namespace detail

}  // namespace casemate

#define CASEMATE_JOIN_(a, b) a##b
#define CASEMATE_TRY_(result, expression)                                       \
  __extension__({                                                               \
    auto&& result = (expression);                                               \
    if (!result) [[unlikely]]                                                   \
      return ::casemate::Error(std::forward<decltype(result)>(result).error()); \
    ::casemate::detail::value_of(std::forward<decltype(result)>(result));       \
  })
#define CASEMATE_TRY_COUNTED_(counter, expression) \
  CASEMATE_TRY_(CASEMATE_JOIN_(try_result_, counter), expression)

// Evaluates to the value of a Result, or returns its error from the enclosing function.
#define TRY(expression) CASEMATE_TRY_COUNTED_(__COUNTER__, expression)
