// SPDX-License-Identifier: Apache-2.0
#pragma once
// Nesting: whether nested `data` is a regular array, and of which shape.
//
//   Owns     a few counters.
//   Threads  as a value.
//   Trust    the brackets are a client's.
//   Fails    open(), close() and leaf() return false at the first irregularity.

#include <array>
#include <cstdint>
#include <string>

#include "base/limits.h"
#include "wire/abi/tensor.h"

namespace casemate::gateway {

class Nesting final {
 public:
  // A bracket opens; the first call is the one of `data` itself.
  bool open() {
    if (depth_ == limits::kRank) return false;
    // Brackets must not appear beside elements.
    if (leaf_depth_ != 0 && depth_ >= leaf_depth_) return false;
    if (depth_ > 0) ++count_[depth_ - 1];
    count_[depth_++] = 0;
    return true;
  }
  bool leaf() {
    if (leaf_depth_ == 0) leaf_depth_ = depth_;
    ++count_[depth_ - 1];
    return leaf_depth_ == depth_ && depth_ >= deepest_closed_;
  }
  bool close() {
    const uint32_t level = --depth_;
    if (deepest_closed_ < level + 1) {
      deepest_closed_ = level + 1;
    }
    if ((known_ & 1u << level) != 0) return extents_[level] == count_[level];
    known_ |= 1u << level;
    extents_[level] = count_[level];
    return true;
  }

  // True for a flat array of the right count, and for one that is nested exactly as `shape`.
  [[nodiscard]] bool fits(const Shape& shape, uint64_t elements) const {
    const auto count = shape.element_count();
    if (!count || *count != elements) return false;
    if (elements == 0 || deepest_closed_ == 1) return true;
    return shape == nested();
  }
  // The nesting as a shape, "[2,3]".
  [[nodiscard]] std::string text() const { return nested().text(); }

 private:
  [[nodiscard]] Shape nested() const {
    return Shape(std::span<const int64_t>(extents_).first(deepest_closed_));
  }
  std::array<int64_t, limits::kRank> count_{};
  std::array<int64_t, limits::kRank> extents_{};
  uint32_t depth_ = 0;           // open brackets
  uint32_t deepest_closed_ = 0;  // deepest bracket that was closed
  uint32_t leaf_depth_ = 0;      // open brackets around every element; 0 before the first
  uint32_t known_ = 0;           // bit per level whose extent is known
};

}  // namespace casemate::gateway
