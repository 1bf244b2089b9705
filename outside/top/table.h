// SPDX-License-Identifier: Apache-2.0
#pragma once
// Table: the rows of a picture as columns of text that fit a width. What matters least is left out
// first, then the two names are cut, and their last character says so.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the picture's text is printable.
//   Fails    cannot: where nothing fits, lines are longer than the width.

#include <string>
#include <vector>

#include "outside/top/picture.h"

namespace casemate::top {

struct Table {
  std::vector<std::string> head;                // cells, padded to their column's width
  std::vector<std::vector<std::string>> cells;  // by row
  size_t state = 0;                             // which of the columns is the state
};

// What stands between two columns.
inline constexpr std::string_view kGap = "  ";
inline constexpr size_t kAnyWidth = 100'000;

Table table_of(const Picture& picture, size_t width);

// "2 of 3 enclaves run in 2 partitions, 812 requests/s"
std::string summary_of(const Picture& picture);

// One whole frame as plain text, with what is wrong below each row.
std::string plain_text(const Picture& picture);

}  // namespace casemate::top
