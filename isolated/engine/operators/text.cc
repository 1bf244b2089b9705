// SPDX-License-Identifier: Apache-2.0
// Operators on tensors of text.
#include <algorithm>
#include <set>

#include "base/format.h"
#include "isolated/engine/operators/broadcast.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/regular_expression.h"
#include "isolated/engine/operators/unicode.h"

namespace casemate::engine {
namespace {

// As many texts as a tensor holds.
constexpr size_t kPartsMax = 1 << 24;

using Case = char32_t (*)(char32_t);

Result<std::string> in_case(Case change, const std::string& text) {
  auto points = code_points(text);
  if (!points) return Error{Code::kInvalid, "one of its texts is no UTF-8"};
  std::ranges::transform(*points, points->begin(), change);
  return utf8(*points);
}

Result<Case> case_change(const Computation& c) {
  const std::string name = c.attributes().text("case_change_action", "NONE");
  if (name == "NONE") return nullptr;
  if (name == "LOWER") return lower_case;
  if (name == "UPPER") return upper_case;
  return Error{
      Code::kInvalid,
      formatted("attribute 'case_change_action' is '{}', expected LOWER, UPPER or NONE", name)};
}

// The attribute 'locale' counts for nothing: what a model answers is the same on every machine.
Status compute_string_normalizer(Computation& c) {
  Shape shape = c.shape(0);
  const bool row = shape.rank() == 2 && shape[0] == 1;
  if (shape.rank() != 1 && !row) {
    return Error{Code::kInvalid,
                 formatted("its input {} needs the shape [C] or [1,C]", shape.text())};
  }
  const Case change = TRY(case_change(c));
  const bool exact = c.attributes().integer("is_case_sensitive", 0) != 0;
  const auto compared = [&](const std::string& text) {
    return exact ? Result<std::string>(text) : in_case(lower_case, text);
  };
  std::set<std::string> dropped;
  for (const std::string& word : c.attributes().texts("stopwords"))
    dropped.insert(TRY(compared(word)));
  std::vector<std::string> kept;
  for (const std::string& text : TRY(c.values<std::string>(0))) {
    if (!code_points(text)) return Error{Code::kInvalid, "one of its texts is no UTF-8"};
    if (!dropped.empty() && dropped.contains(TRY(compared(text)))) continue;
    kept.push_back(change == nullptr ? text : TRY(in_case(change, text)));
  }
  if (kept.empty()) kept.emplace_back();
  shape[shape.rank() - 1] = static_cast<int64_t>(kept.size());
  std::ranges::move(kept, TRY(c.make<std::string>(0, shape)).begin());
  return {};
}

Status compute_string_concat(Computation& c) {
  const Shape shape = TRY(broadcast(c.shape(0), c.shape(1)));
  TRY(allow_texts(c, shape, 0));
  const auto y = TRY(c.make<std::string>(0, shape));
  const auto a = TRY(c.values<std::string>(0));
  const auto b = TRY(c.values<std::string>(1));
  const std::array steps = {broadcast_steps(c.shape(0), shape), broadcast_steps(c.shape(1), shape)};
  const uint32_t last = shape.rank() == 0 ? 0 : shape.rank() - 1;
  const auto for_each_pair = [&](auto visit) {
    for_each_row(shape, steps, [&](const auto& offsets, int64_t columns) {
      for (int64_t i = 0; i < columns; ++i)
        visit(a[offsets[0] + i * steps[0][last]], b[offsets[1] + i * steps[1][last]]);
    });
  };
  // Few long texts may make up many.
  uint64_t bytes = 0;
  for_each_pair([&](const auto& left, const auto& right) { bytes += left.size() + right.size(); });
  TRY(c.allow(bytes));
  auto to = y.begin();
  for_each_pair([&](const auto& left, const auto& right) { *to++ = left + right; });
  return {};
}

// At runs of white space, of which there is none at the beginning; nor at the end, unless what is
// left is not split.
void split_at_space(std::string_view text, uint64_t splits_max, std::vector<std::string>& parts) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  for (size_t at = text.find_first_not_of(kSpace); at != text.npos;) {
    const size_t end = splits_max-- == 0 ? text.npos : text.find_first_of(kSpace, at);
    parts.emplace_back(text.substr(at, end - at));
    if (end == text.npos || parts.size() > kPartsMax) return;
    at = text.find_first_not_of(kSpace, end);
  }
}

void split_at(std::string_view delimiter, std::string_view text, uint64_t splits_max,
              std::vector<std::string>& parts) {
  for (size_t at = 0;;) {
    const size_t end = splits_max-- == 0 ? text.npos : text.find(delimiter, at);
    parts.emplace_back(text.substr(at, end - at));
    if (end == text.npos || parts.size() > kPartsMax) return;
    at = end + delimiter.size();
  }
}

Status compute_string_split(Computation& c) {
  const Shape& shape = c.shape(0);
  if (shape.rank() == limits::kRank) {
    return Error{Code::kTooLarge, formatted("its output would have {} dimensions, {} are allowed",
                                            shape.rank() + 1, limits::kRank)};
  }
  const std::string delimiter = c.attributes().text("delimiter", "");
  // As a negative number, like none, it is larger than the number of splits that can be.
  const auto splits_max = static_cast<uint64_t>(c.attributes().integer("maxsplit", -1));
  const auto x = TRY(c.values<std::string>(0));
  std::vector<std::string> parts;  // of all texts
  std::vector<int64_t> counts;
  for (const std::string& text : x) {
    const size_t before = parts.size();
    if (delimiter.empty()) {
      split_at_space(text, splits_max, parts);
    } else {
      split_at(delimiter, text, splits_max, parts);
    }
    counts.push_back(static_cast<int64_t>(parts.size() - before));
    if (parts.size() > kPartsMax)
      return Error{Code::kTooLarge, "its texts split into more than 2^24 parts"};
  }
  const int64_t width = counts.empty() ? 0 : *std::ranges::max_element(counts);
  std::vector<int64_t> dims(shape.dims().begin(), shape.dims().end());
  dims.push_back(width);
  TRY(allow_texts(c, Shape(dims), 0));
  const auto y = TRY(c.make<std::string>(0, Shape(dims)));
  if (c.wants(1)) std::ranges::copy(counts, TRY(c.make<int64_t>(1, shape)).begin());
  auto part = parts.begin();
  for (size_t i = 0; i < counts.size(); ++i) {
    for (int64_t k = 0; k < counts[i]; ++k)
      y[i * static_cast<size_t>(width) + static_cast<size_t>(k)] = std::move(*part++);
  }
  return {};
}

Status compute_regex_full_match(Computation& c) {
  if (!c.attributes().has("pattern"))
    return Error{Code::kInvalid, "attribute 'pattern' is missing"};
  const auto expression = TRY(RegularExpression::make(c.attributes().text("pattern", "")));
  const auto y = TRY(c.make<bool>(0, c.shape(0)));
  const auto x = TRY(c.values<std::string>(0));
  std::ranges::transform(x, y.begin(), [&](const auto& text) { return expression.matches(text); });
  return {};
}

}  // namespace

void add_text(Operators& operators) {
  operators.add("StringNormalizer", compute_string_normalizer);
  operators.add("StringConcat", compute_string_concat);
  operators.add("StringSplit", compute_string_split);
  operators.add("RegexFullMatch", compute_regex_full_match);
}

}  // namespace casemate::engine
