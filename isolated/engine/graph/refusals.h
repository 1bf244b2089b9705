// SPDX-License-Identifier: Apache-2.0
#pragma once
// Refusals: all that is wrong with a model, for who would rather hear everything at once than the
// first thing alone. What collects them goes on behind a node that it refuses, as if the node were
// there; what it makes of the model then is good for nothing but to look for more.
//
//   Owns     the errors.
//   Threads  one.
//   Trust    none in the model: no more than kListed errors are kept, the others are counted.
//   Fails    never.

#include <algorithm>
#include <vector>

#include "base/result.h"
#include "isolated/engine/graph/name_text.h"

namespace casemate::engine {

// As it may be told. Names are made short where a message is made (name_text()): this is the last
// bound, for whatever else it holds.
inline constexpr size_t kErrorTextMax = 4096;
inline Error told(const Error& error) { return {error.code, legible(error.text, kErrorTextMax)}; }

class Refusals final {
 public:
  static constexpr size_t kListed = 1000;

  // Notes what is wrong with one node. False for what is wrong with more than that, a limit for
  // example: behind it there is no going on.
  bool note(const Error& error) {
    if (error.code != Code::kInvalid && error.code != Code::kUnsupported) return false;
    add(error);
    return true;
  }
  // Notes anything, but nothing twice.
  void add(const Error& heard) {
    Error error = told(heard);
    const auto same = [&](const Error& other) { return other.text == error.text; };
    if (std::ranges::any_of(list_, same)) return;
    ++count_;
    if (list_.size() < kListed) list_.push_back(std::move(error));
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] uint64_t count() const { return count_; }
  // The first kListed of them.
  [[nodiscard]] const std::vector<Error>& list() const { return list_; }

 private:
  std::vector<Error> list_;
  uint64_t count_ = 0;
};

}  // namespace casemate::engine
