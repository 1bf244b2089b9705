// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON text, written: strings with their escapes and numbers in the shortest form that reads back
// as the same number.
//
//   Owns     nothing: everything is appended to the caller's string.
//   Threads  pure functions.
//   Trust    text may hold anything: what is not UTF-8 becomes U+FFFD.
//   Fails    never; a number that JSON cannot express is the caller's to refuse.

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace casemate::gateway {

// `text` between quotation marks.
void append_quoted(std::string& out, std::string_view text);
// What stands between them.
void append_escaped(std::string& out, std::string_view text);

// Bytes of the UTF-8 sequence (RFC 3629) that `text` starts with; 0 if it starts with none.
size_t utf8_length(std::string_view text);
bool valid_utf8(std::string_view text);
// The first `size` bytes of `text`, or a few less where those would end inside a sequence: all
// pieces that are cut so are valid if and only if the whole is. Requires: size >= 4.
std::string_view utf8_piece(std::string_view text, size_t size);

template <std::integral T>
void append_number(std::string& out, T value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

// Requires: value is finite. Always has a point or an exponent, so that a reader keeps the type.
template <std::floating_point T>
void append_number(std::string& out, T value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  const std::string_view text(digits, static_cast<size_t>(end - digits));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

// Writes an object or array: `{` or `[`, members separated by commas.
class JsonWriter final {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  JsonWriter& key(std::string_view name) {
    separate();
    append_quoted(out_, name);
    out_ += ':';
    first_ = true;
    return *this;
  }
  JsonWriter& text(std::string_view value) {
    separate();
    append_quoted(out_, value);
    return *this;
  }
  template <std::integral T>
  JsonWriter& number(T value) {
    separate();
    append_number(out_, value);
    return *this;
  }
  JsonWriter& boolean(bool value) {
    separate();
    out_ += value ? "true" : "false";
    return *this;
  }

 private:
  void separate() {
    if (!std::exchange(first_, false)) out_ += ',';
  }
  std::string& out_;
  bool first_ = true;
};

}  // namespace casemate::gateway
