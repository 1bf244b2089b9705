// SPDX-License-Identifier: Apache-2.0
#pragma once
// Fd: a file descriptor that is closed when its owner goes away.
//
//   Owns     the descriptor.
//   Threads  as an int: not shared between threads without a lock.
//   Trust    says nothing about what the descriptor refers to.
//   Fails    close errors are ignored: nothing useful can be done about them.

#include <unistd.h>

#include <utility>

namespace casemate {

class Fd final {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool valid() const { return number_ >= 0; }
  // Gives the descriptor up without closing it.
  int release() { return std::exchange(number_, -1); }
  void reset() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

 private:
  int number_ = -1;
};

}  // namespace casemate
