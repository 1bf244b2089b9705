// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/name_text.h"

#include <array>
#include <cstdint>

namespace casemate::engine {
namespace {

constexpr std::string_view kLeftOut = "...";

struct Sequence {
  char32_t point = 0;
  size_t bytes = 0;  // 0: the text does not begin with UTF-8
};

bool continues(char byte) { return (static_cast<uint8_t>(byte) & 0xc0) == 0x80; }

// The first character. Requires: there is a byte.
Sequence first_of(std::string_view text) {
  static constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xc0 || lead > 0xf4) return {};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (text.size() < bytes) return {};
  char32_t point = lead & (0xffu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if (!continues(text[i])) return {};
    point = point << 6 | (static_cast<uint8_t>(text[i]) & 0x3fu);
  }
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kLeast[bytes] || surrogate || point > 0x10ffff) return {};
  return {point, bytes};
}

// Control characters, what separates lines, and what turns their direction (Unicode 15, chapter
// 23).
bool hidden(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069);
}

void append_legible(std::string& to, std::string_view text) {
  while (!text.empty()) {
    const Sequence first = first_of(text);
    const size_t bytes = first.bytes == 0 ? 1 : first.bytes;
    if (first.bytes == 0 || hidden(first.point)) {
      to += '?';
    } else {
      to += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
}

}  // namespace

std::string legible(std::string_view text, size_t bytes_max) {
  std::string shown;
  if (text.size() <= bytes_max) {
    append_legible(shown, text);
    return shown;
  }
  const size_t kept = (bytes_max - kLeftOut.size()) / 2;
  size_t end = kept;
  size_t begin = text.size() - kept;
  // No character is cut: none has more than three bytes behind its first.
  for (int i = 0; i < 3 && continues(text[end]); ++i) --end;
  for (int i = 0; i < 3 && continues(text[begin]); ++i) ++begin;
  append_legible(shown, text.substr(0, end));
  shown += kLeftOut;
  append_legible(shown, text.substr(begin));
  return shown;
}

std::string name_text(std::string_view name) { return legible(name, kNameTextMax); }

}  // namespace casemate::engine
