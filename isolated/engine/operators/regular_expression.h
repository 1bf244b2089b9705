// SPDX-License-Identifier: Apache-2.0
#pragma once
// RegularExpression: whether a whole text is of a form, in the syntax of RE2.
//
// The pattern becomes a program that runs in all its states at once (Thompson, 1968), so that time
// grows with the text's length times the program's, whatever they are; nothing goes back.
//
// Understood are literals, classes, ., groups, alternatives, repetitions up to 1000, ^ $ \A \z \b
// \B, the flags i, m, s and U, and \d \s \w with their opposites. \p, \Q, \C and octal numbers are
// refused, as are the backward references that RE2 has not either.
//
//   Owns     its program.
//   Threads  immutable once made.
//   Trust    pattern and text may be anything.
//   Fails    make() with kInvalid or kUnsupported, and where in the pattern.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace casemate::engine {

class RegularExpression final {
 public:
  static Result<RegularExpression> make(std::string_view pattern);

  // Whether the text as a whole is of that form. Text that is no UTF-8 is of none.
  [[nodiscard]] bool matches(std::string_view text) const;

  // Letters, from the first of each pair to its second, in order.
  struct Letters {
    std::vector<std::pair<char32_t, char32_t>> ranges = {};
    bool any_case = false;
    bool others = false;  // all but these
    [[nodiscard]] bool contain(char32_t letter) const;
  };

  enum class Place : uint8_t {  // between two letters
    kTextBegin,
    kTextEnd,
    kLineBegin,
    kLineEnd,
    kWordEdge,
    kNoWordEdge,
  };

  struct Instruction {
    enum class Op : uint8_t { kLetter, kPlace, kFork, kGo, kMatch };
    Op op = Op::kMatch;
    uint32_t operand = 0;  // of kLetter: which letters; kPlace: which; kFork, kGo: where
    uint32_t other = 0;    // where else, of kFork
  };

 private:
  std::vector<Instruction> program_;
  std::vector<Letters> letters_;
};

}  // namespace casemate::engine
