// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/regular_expression.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/format.h"
#include "isolated/engine/operators/unicode.h"

namespace casemate::engine {
namespace {

using Letters = RegularExpression::Letters;
using Place = RegularExpression::Place;
using Instruction = RegularExpression::Instruction;

constexpr uint32_t kRepeatMax = 1000;
constexpr uint32_t kDepthMax = 100;
constexpr size_t kPatternMax = 1 << 16;  // letters
// Each letter of a text costs at most as many steps.
constexpr size_t kProgramMax = 1 << 13;
constexpr char32_t kLastLetter = 0x10FFFF;

bool word_letter(char32_t letter) {
  return letter == '_' || (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
         (letter >= 'A' && letter <= 'Z');
}

void put_in_order(Letters& letters) {
  std::ranges::sort(letters.ranges);
  std::vector<std::pair<char32_t, char32_t>> merged;
  for (const auto& range : letters.ranges) {
    if (!merged.empty() && range.first <= merged.back().second + 1) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  letters.ranges = std::move(merged);
}

// Adds those that are not in `letters`, which are in order.
void add_others(const Letters& letters, Letters& to) {
  char32_t next = 0;
  for (const auto& [first, last] : letters.ranges) {
    if (first > next) to.ranges.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= kLastLetter) to.ranges.emplace_back(next, kLastLetter);
}

struct Named {
  std::u32string_view name;
  std::array<std::pair<char32_t, char32_t>, 4> ranges;  // those behind the last are empty
};

constexpr std::pair<char32_t, char32_t> kNone = {1, 0};

constexpr std::array<Named, 17> kNamed = {{
    {U"d", {{{'0', '9'}, kNone, kNone, kNone}}},
    {U"s", {{{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}, kNone}}},
    {U"w", {{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}}},
    {U"alnum", {{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, kNone}}},
    {U"alpha", {{{'A', 'Z'}, {'a', 'z'}, kNone, kNone}}},
    {U"ascii", {{{0, 0x7F}, kNone, kNone, kNone}}},
    {U"blank", {{{'\t', '\t'}, {' ', ' '}, kNone, kNone}}},
    {U"cntrl", {{{0, 0x1F}, {0x7F, 0x7F}, kNone, kNone}}},
    {U"digit", {{{'0', '9'}, kNone, kNone, kNone}}},
    {U"graph", {{{'!', '~'}, kNone, kNone, kNone}}},
    {U"lower", {{{'a', 'z'}, kNone, kNone, kNone}}},
    {U"print", {{{' ', '~'}, kNone, kNone, kNone}}},
    {U"punct", {{{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}}},
    {U"space", {{{'\t', '\r'}, {' ', ' '}, kNone, kNone}}},
    {U"upper", {{{'A', 'Z'}, kNone, kNone, kNone}}},
    {U"word", {{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}}},
    {U"xdigit", {{{'0', '9'}, {'A', 'F'}, {'a', 'f'}, kNone}}},
}};

bool add_named(std::u32string_view name, bool others, Letters& to) {
  const auto found = std::ranges::find(kNamed, name, &Named::name);
  if (found == kNamed.end()) return false;
  Letters letters;
  for (const auto& range : found->ranges) {
    if (range != kNone) letters.ranges.push_back(range);
  }
  if (others) {
    add_others(letters, to);
  } else {
    to.ranges.insert(to.ranges.end(), letters.ranges.begin(), letters.ranges.end());
  }
  return true;
}

struct Repetition {
  uint32_t least = 0;
  std::optional<uint32_t> most = {};  // none: any number
};

// A part of a pattern.
struct Part {
  enum class Kind : uint8_t { kLetter, kPlace, kAll, kOneOf, kRepeated };
  Kind kind = Kind::kAll;
  Letters letters = {};
  Place place = {};
  std::vector<Part> parts = {};  // kRepeated: one
  Repetition repetition = {};
};

class Parser final {
 public:
  explicit Parser(std::u32string pattern) : pattern_(std::move(pattern)) {}

  Result<Part> parse() {
    Part part = TRY(one_of());
    if (at_ < pattern_.size()) return wrong("a ')' that closes no group");
    return part;
  }

 private:
  struct Flags {
    bool any_case = false;
    bool lines = false;        // ^ and $ match at lines
    bool dot_is_line = false;  // . matches the end of a line
  };

  Error refused(Code code, std::string_view what) const {
    return {code, formatted("its pattern has {}, at letter {}", what, at_)};
  }
  Error wrong(std::string_view what) const { return refused(Code::kInvalid, what); }

  [[nodiscard]] bool more() const { return at_ < pattern_.size(); }
  [[nodiscard]] bool ahead(std::u32string_view text) const {
    return std::u32string_view(pattern_).substr(at_).starts_with(text);
  }
  bool skip(std::u32string_view text) {
    const bool there = ahead(text);
    if (there) at_ += text.size();
    return there;
  }

  Result<Part> one_of() {
    if (++depth_ > kDepthMax) return refused(Code::kTooLarge, "groups in too many groups");
    Part choice{.kind = Part::Kind::kOneOf};
    do choice.parts.push_back(TRY(all()));
    while (skip(U"|"));
    --depth_;
    return choice;
  }

  Result<Part> all() {
    Part all{.kind = Part::Kind::kAll};
    while (more() && !ahead(U"|") && !ahead(U")")) {
      if (TRY(repetition())) return wrong("a repetition of nothing");
      Part part = TRY(single());
      all.parts.push_back(TRY(repeated(std::move(part))));
    }
    return all;
  }

  Result<Part> repeated(Part part) {
    const auto found = TRY(repetition());
    if (!found) return part;
    skip(U"?");  // as few as can be: for a whole text that is the same
    if (TRY(repetition())) return wrong("a repetition of a repetition");
    Part result{.kind = Part::Kind::kRepeated, .repetition = *found};
    result.parts.push_back(std::move(part));
    return result;
  }

  // The one that follows, if one does.
  Result<std::optional<Repetition>> repetition() {
    using Found = std::optional<Repetition>;
    if (skip(U"*")) return Found({.least = 0});
    if (skip(U"+")) return Found({.least = 1});
    if (skip(U"?")) return Found({.least = 0, .most = 1});
    const size_t start = at_;
    if (!skip(U"{")) return Found();
    const auto least = TRY(number());
    const bool range = least && skip(U",");
    const auto most = range ? TRY(number()) : least;
    // Braces that hold something else are themselves.
    if (!least || !skip(U"}")) {
      at_ = start;
      return Found();
    }
    if (most && *most < *least) return wrong("a repetition whose end is before its beginning");
    return Found({.least = *least, .most = most});
  }

  Result<std::optional<uint32_t>> number() {
    uint32_t value = 0;
    const size_t start = at_;
    for (; more() && pattern_[at_] >= '0' && pattern_[at_] <= '9'; ++at_) {
      value = value * 10 + (pattern_[at_] - '0');
      if (value > kRepeatMax) return wrong("a repetition of more than 1000");
    }
    if (at_ == start) return std::optional<uint32_t>();
    return std::optional<uint32_t>(value);
  }

  Result<Part> single() {
    const char32_t letter = pattern_[at_++];
    if (letter == '(') return group();
    if (letter == '[') return letter_class();
    if (letter == '\\') return escape();
    if (letter == '^') return place(flags_.lines ? Place::kLineBegin : Place::kTextBegin);
    if (letter == '$') return place(flags_.lines ? Place::kLineEnd : Place::kTextEnd);
    if (letter == '.') {
      Letters none;
      if (!flags_.dot_is_line) none.ranges.emplace_back('\n', '\n');
      none.others = true;
      return Part{.kind = Part::Kind::kLetter, .letters = none};
    }
    return literal(letter);
  }

  static Part place(Place place) { return {.kind = Part::Kind::kPlace, .place = place}; }
  [[nodiscard]] Part literal(char32_t letter) const {
    return {.kind = Part::Kind::kLetter,
            .letters = {.ranges = {{letter, letter}}, .any_case = flags_.any_case}};
  }

  Result<Part> group() {
    const Flags outside = flags_;
    if (skip(U"?")) {
      if (skip(U"P<") || skip(U"<")) {
        const size_t start = at_;
        while (more() && word_letter(pattern_[at_])) ++at_;
        if (at_ == start || !skip(U">")) return wrong("a group whose name is none");
      } else if (TRY(flags())) {
        return Part{};  // they hold to the end of the group around them
      }
    }
    Part part = TRY(one_of());
    if (!skip(U")")) return wrong("a '(' that is not closed");
    flags_ = outside;
    return part;
  }

  // Whether they stand alone, as in (?i), and not before a group, as in (?i:a).
  Result<bool> flags() {
    bool on = true;
    for (; more(); ++at_) {
      const char32_t letter = pattern_[at_];
      if (letter == '-' && on) {
        on = false;
      } else if (letter == 'i') {
        flags_.any_case = on;
      } else if (letter == 'm') {
        flags_.lines = on;
      } else if (letter == 's') {
        flags_.dot_is_line = on;
      } else if (letter != 'U') {
        break;
      }
    }
    if (skip(U")")) return true;
    if (!skip(U":")) return wrong("a flag that is none");
    return false;
  }

  Result<Part> letter_class() {
    Letters letters{.any_case = flags_.any_case, .others = skip(U"^")};
    // A bracket that comes first is itself.
    for (bool first = true; first || !ahead(U"]"); first = false) {
      if (!more()) return wrong("a '[' that is not closed");
      if (TRY(named_class(letters))) continue;
      const char32_t from = TRY(class_letter());
      char32_t to = from;
      if (ahead(U"-") && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']') {
        ++at_;
        to = TRY(class_letter());
      }
      if (to < from) return wrong("a range whose end is before its beginning");
      letters.ranges.emplace_back(from, to);
    }
    skip(U"]");
    put_in_order(letters);
    return Part{.kind = Part::Kind::kLetter, .letters = std::move(letters)};
  }

  // Such as [:alpha:] or \d within brackets.
  Result<bool> named_class(Letters& letters) {
    if (skip(U"[:")) {
      const bool others = skip(U"^");
      const size_t end = pattern_.find(U":]", at_);
      if (end == std::u32string::npos) return wrong("a '[:' that is not closed");
      const auto name = std::u32string_view(pattern_).substr(at_, end - at_);
      if (name.size() == 1 || !add_named(name, others, letters))
        return wrong("a class of that name, which there is not");
      at_ = end + 2;
      return true;
    }
    if (!ahead(U"\\") || at_ + 1 >= pattern_.size()) return false;
    const char32_t letter = pattern_[at_ + 1];
    const char32_t name = lower_case(letter);
    if (!add_named(std::u32string_view(&name, 1), letter != name, letters)) return false;
    at_ += 2;
    return true;
  }

  Result<char32_t> class_letter() {
    if (!more()) return wrong("a '[' that is not closed");
    const char32_t letter = pattern_[at_++];
    return letter == '\\' ? escaped_letter() : Result<char32_t>(letter);
  }

  Result<Part> escape() {
    if (skip(U"A")) return place(Place::kTextBegin);
    if (skip(U"z")) return place(Place::kTextEnd);
    if (skip(U"b")) return place(Place::kWordEdge);
    if (skip(U"B")) return place(Place::kNoWordEdge);
    --at_;
    Letters letters;
    if (TRY(named_class(letters))) {
      put_in_order(letters);
      return Part{.kind = Part::Kind::kLetter, .letters = std::move(letters)};
    }
    ++at_;
    return literal(TRY(escaped_letter()));
  }

  // Behind a backslash.
  Result<char32_t> escaped_letter() {
    constexpr std::u32string_view kNames = U"aftnrv";
    constexpr std::u32string_view kMeant = U"\a\f\t\n\r\v";
    if (!more()) return wrong("a '\\' at its end");
    const char32_t letter = pattern_[at_++];
    if (const size_t found = kNames.find(letter); found != kNames.npos) return kMeant[found];
    if (letter == 'x') return hexadecimal();
    if (letter < 0x80 && !word_letter(letter)) return letter;
    if (letter == '_') return letter;
    --at_;
    return refused(Code::kUnsupported, formatted("\\{}, which is not understood",
                                                 utf8(std::u32string_view(&letter, 1))));
  }

  Result<char32_t> hexadecimal() {
    const bool braces = skip(U"{");
    char32_t value = 0;
    size_t digits = 0;
    for (; more() && (braces || digits < 2); ++at_, ++digits) {
      const char32_t letter = lower_case(pattern_[at_]);
      const bool digit = letter >= '0' && letter <= '9';
      if (!digit && !(letter >= 'a' && letter <= 'f')) break;
      value = value * 16 + (digit ? letter - '0' : letter - 'a' + 10);
      if (value > kLastLetter) return wrong("a letter beyond the last one");
    }
    if (digits == 0 || (!braces && digits != 2) || (braces && !skip(U"}")))
      return wrong("an \\x that is no number");
    return value;
  }

  std::u32string pattern_;
  size_t at_ = 0;
  uint32_t depth_ = 0;
  Flags flags_;
};

class Compiler final {
 public:
  Status compile(const Part& part) {
    // Parts that are repeated may come to nothing, and yet take their time.
    if (++parts_ > kProgramMax || program.size() > kProgramMax)
      return Error{Code::kTooLarge, "its pattern has too many repetitions"};
    switch (part.kind) {
      case Part::Kind::kLetter:
        letters.push_back(part.letters);
        emit(Instruction::Op::kLetter, static_cast<uint32_t>(letters.size() - 1));
        return {};
      case Part::Kind::kPlace:
        emit(Instruction::Op::kPlace, static_cast<uint32_t>(part.place));
        return {};
      case Part::Kind::kAll:
        for (const Part& one : part.parts) TRY(compile(one));
        return {};
      case Part::Kind::kOneOf:
        return compile_choice(part);
      case Part::Kind::kRepeated:
        return compile_repetition(part);
    }
    return {};
  }

  uint32_t emit(Instruction::Op op, uint32_t operand = 0) {
    program.push_back({.op = op, .operand = operand});
    return here() - 1;
  }
  [[nodiscard]] uint32_t here() const { return static_cast<uint32_t>(program.size()); }

  std::vector<Instruction> program;
  std::vector<Letters> letters;

 private:
  Status compile_choice(const Part& part) {
    std::vector<uint32_t> ends;
    for (size_t i = 0; i < part.parts.size(); ++i) {
      const bool last = i + 1 == part.parts.size();
      const uint32_t fork = last ? 0 : emit(Instruction::Op::kFork, here() + 1);
      TRY(compile(part.parts[i]));
      if (last) break;
      ends.push_back(emit(Instruction::Op::kGo));
      program[fork].other = here();
    }
    for (const uint32_t end : ends) program[end].operand = here();
    return {};
  }

  Status compile_repetition(const Part& part) {
    const auto& [least, most] = part.repetition;
    for (uint32_t i = 0; i < least; ++i) TRY(compile(part.parts[0]));
    std::vector<uint32_t> forks;
    for (uint32_t i = least; i < most.value_or(least + 1); ++i) {
      forks.push_back(emit(Instruction::Op::kFork, here() + 1));
      TRY(compile(part.parts[0]));
      if (!most) emit(Instruction::Op::kGo, forks[0]);
    }
    for (const uint32_t fork : forks) program[fork].other = here();
    return {};
  }

  size_t parts_ = 0;
};

// The states of a program at one place of a text.
class States final {
 public:
  States(std::span<const Instruction> program, std::u32string_view text)
      : program_(program), text_(text), seen_(program.size()) {}

  // Adds a state, and all that it leads to before the letter at `place`.
  void add(uint32_t state, size_t place) {
    pending_.push_back(state);
    while (!pending_.empty()) {
      const uint32_t next = pending_.back();
      pending_.pop_back();
      if (seen_[next] == place + 1) continue;
      seen_[next] = place + 1;
      const Instruction& instruction = program_[next];
      switch (instruction.op) {
        case Instruction::Op::kLetter:
        case Instruction::Op::kMatch:
          states_.push_back(next);
          break;
        case Instruction::Op::kPlace:
          if (holds(static_cast<Place>(instruction.operand), place)) pending_.push_back(next + 1);
          break;
        case Instruction::Op::kFork:
          pending_.push_back(instruction.other);
          pending_.push_back(instruction.operand);
          break;
        case Instruction::Op::kGo:
          pending_.push_back(instruction.operand);
          break;
      }
    }
  }
  std::vector<uint32_t> take() { return std::exchange(states_, {}); }

 private:
  [[nodiscard]] bool holds(Place place, size_t at) const {
    const bool begin = at == 0;
    const bool end = at == text_.size();
    const bool edge = (!begin && word_letter(text_[at - 1])) != (!end && word_letter(text_[at]));
    switch (place) {
      case Place::kTextBegin:
        return begin;
      case Place::kTextEnd:
        return end;
      case Place::kLineBegin:
        return begin || text_[at - 1] == '\n';
      case Place::kLineEnd:
        return end || text_[at] == '\n';
      case Place::kWordEdge:
        return edge;
      case Place::kNoWordEdge:
        return !edge;
    }
    return false;
  }

  std::span<const Instruction> program_;
  std::u32string_view text_;
  std::vector<uint32_t> states_;
  std::vector<uint32_t> pending_;
  std::vector<size_t> seen_;  // one more than the place where a state was added last
};

}  // namespace

bool RegularExpression::Letters::contain(char32_t letter) const {
  const auto within = [&](char32_t one) {
    const auto found =
        std::ranges::lower_bound(ranges, one, {}, &std::pair<char32_t, char32_t>::second);
    return found != ranges.end() && found->first <= one;
  };
  const bool found =
      within(letter) || (any_case && (within(lower_case(letter)) || within(upper_case(letter))));
  return found != others;
}

Result<RegularExpression> RegularExpression::make(std::string_view pattern) {
  auto points = code_points(pattern);
  if (!points) return Error{Code::kInvalid, "its pattern is no UTF-8"};
  if (points->size() > kPatternMax)
    return Error{Code::kTooLarge, "its pattern is longer than 65536 letters"};
  Compiler compiler;
  TRY(compiler.compile(TRY(Parser(*std::move(points)).parse())));
  compiler.emit(Instruction::Op::kMatch);
  RegularExpression made;
  made.program_ = std::move(compiler.program);
  made.letters_ = std::move(compiler.letters);
  return made;
}

bool RegularExpression::matches(std::string_view text) const {
  const auto points = code_points(text);
  if (!points) return false;
  States states(program_, *points);
  states.add(0, 0);
  for (size_t at = 0; at < points->size(); ++at) {
    const char32_t letter = (*points)[at];
    for (const uint32_t state : states.take()) {
      const Instruction& instruction = program_[state];
      if (instruction.op == Instruction::Op::kLetter &&
          letters_[instruction.operand].contain(letter))
        states.add(state + 1, at + 1);
    }
  }
  return std::ranges::any_of(
      states.take(), [&](uint32_t state) { return program_[state].op == Instruction::Op::kMatch; });
}

}  // namespace casemate::engine
