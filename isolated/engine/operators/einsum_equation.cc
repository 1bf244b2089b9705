// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/einsum_equation.h"

#include <algorithm>
#include <string>

#include "base/format.h"

namespace casemate::engine {
namespace {

using Labels = EinsumEquation::Labels;

constexpr int kLetters = 2 * 26;

int label_of(char letter) { return letter <= 'Z' ? letter - 'A' : letter - 'a' + 26; }

bool letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

Error wrong(std::string_view text, std::string_view why) {
  constexpr size_t kShown = 60;
  return {Code::kInvalid, formatted("its equation \"{}\" {}", text.substr(0, kShown), why)};
}

// The labels of one term. Its ellipsis, of which there may be one, stands for that many dimensions.
Result<Labels> parse_term(std::string_view text, std::string_view term, uint32_t ellipsis) {
  Labels labels;
  bool seen = false;
  for (size_t i = 0; i < term.size(); ++i) {
    if (letter(term[i])) {
      labels.push_back(label_of(term[i]));
    } else if (term.substr(i).starts_with("...") && !seen) {
      for (uint32_t j = ellipsis; j-- > 0;) labels.push_back(kLetters + static_cast<int>(j));
      seen = true;
      i += 2;
    } else {
      return wrong(text, "is not made of letters, ',', '...' and '->'");
    }
  }
  return labels;
}

// How many dimensions the ellipsis of a term stands for in an operand of that rank.
Result<uint32_t> ellipsis_rank(std::string_view text, std::string_view term, uint32_t rank) {
  const auto letters = static_cast<uint64_t>(std::ranges::count_if(term, letter));
  const bool open = term.contains('.');
  if (letters > rank || (!open && letters != rank)) {
    return wrong(text, formatted("has the term \"{}\" for an operand of {} dimensions",
                                 term.substr(0, 20), rank));
  }
  return static_cast<uint32_t>(rank - letters);
}

// Gives each label the extent that its dimensions have.
Status settle_extents(std::string_view text, EinsumEquation& equation, const Labels& labels,
                      const Shape& shape) {
  std::array<int64_t, EinsumEquation::kLabels> own{};
  own.fill(-1);
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    int64_t& here = own[labels[i]];
    int64_t& all = equation.extents[labels[i]];
    // Within an operand, the dimensions of a diagonal are not broadcast.
    if ((here != -1 && here != shape[i]) ||
        (all != -1 && all != 1 && shape[i] != 1 && all != shape[i]))
      return wrong(text, formatted("gives one label to dimensions of {} and {} elements",
                                   here != -1 && here != shape[i] ? here : all, shape[i]));
    here = shape[i];
    if (all == -1 || all == 1) all = shape[i];
  }
  return {};
}

// The labels of the result where none are given: those of the ellipsis, then, in the order of the
// alphabet, the letters that occur once.
Labels implied_result(const std::vector<Labels>& operands, uint32_t ellipsis) {
  std::array<int, EinsumEquation::kLabels> count{};
  for (const Labels& labels : operands) {
    for (const int label : labels) ++count[label];
  }
  Labels result;
  for (uint32_t j = ellipsis; j-- > 0;) result.push_back(kLetters + static_cast<int>(j));
  for (int label = 0; label < kLetters; ++label) {
    if (count[label] == 1) result.push_back(label);
  }
  return result;
}

Status check_result(std::string_view text, const EinsumEquation& equation) {
  for (const int label : equation.result) {
    if (std::ranges::count(equation.result, label) != 1)
      return wrong(text, "names a dimension of the result twice");
    if (equation.extents[label] == -1)
      return wrong(text, "names a dimension of the result that no operand has");
  }
  if (equation.result.size() > limits::kRank)
    return wrong(text, formatted("has a result of more than {} dimensions", limits::kRank));
  return {};
}

}  // namespace

Result<EinsumEquation> EinsumEquation::make(std::string_view given,
                                            const std::vector<Shape>& shapes) {
  std::string text(given);
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  std::string_view left = std::string_view(text).substr(0, arrow);
  EinsumEquation equation;
  equation.extents.fill(-1);
  const auto terms = static_cast<size_t>(std::ranges::count(left, ',')) + 1;
  if (terms != shapes.size())
    return wrong(text, formatted("has {} terms for {} operands", terms, shapes.size()));
  uint32_t ellipsis = 0;
  for (const Shape& shape : shapes) {
    const std::string_view term = left.substr(0, left.find(','));
    const uint32_t open = TRY(ellipsis_rank(text, term, shape.rank()));
    equation.operands.push_back(TRY(parse_term(text, term, open)));
    TRY(shape.element_count());
    TRY(settle_extents(text, equation, equation.operands.back(), shape));
    ellipsis = std::max(ellipsis, open);
    left.remove_prefix(std::min(left.size(), term.size() + 1));
  }
  if (arrow == std::string::npos) {
    equation.result = implied_result(equation.operands, ellipsis);
  } else {
    equation.result = TRY(parse_term(text, std::string_view(text).substr(arrow + 2), ellipsis));
  }
  TRY(check_result(text, equation));
  return equation;
}

Shape EinsumEquation::shape() const {
  std::vector<int64_t> dims;
  for (const int label : result) dims.push_back(extents[label]);
  return Shape(std::span<const int64_t>(dims));
}

}  // namespace casemate::engine
