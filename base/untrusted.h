// SPDX-License-Identifier: Apache-2.0
#pragma once
// Untrusted<T>: a value that a peer wrote. It has no accessor: it becomes a T only through a check
// that says what range is right, and only as a private copy, so a peer cannot change it between
// check and use.
//
//   Owns     a private copy.
//   Threads  a value type.
//   Trust    none: that is the point.
//   Fails    check() returns nothing when the predicate refuses.

#include <concepts>
#include <optional>
#include <utility>

namespace casemate {

template <class T>
class [[nodiscard]] Untrusted final {
 public:
  explicit Untrusted(T value) : value_(std::move(value)) {}

  // The value, if `sound(value)`.
  template <std::predicate<const T&> Sound>
  [[nodiscard]] std::optional<T> check(Sound sound) const {
    if (!sound(value_)) return std::nullopt;
    return value_;
  }
  // The value, if it is at most `limit`.
  [[nodiscard]] std::optional<T> at_most(const T& limit) const {
    return check([&](const T& v) { return v <= limit; });
  }
  // The value, if it is exactly `expected`: for fields that a peer must echo.
  [[nodiscard]] bool equals(const T& expected) const { return value_ == expected; }

 private:
  T value_;
};

}  // namespace casemate
