// SPDX-License-Identifier: Apache-2.0
#include "wire/abi/program.h"

#include "base/format.h"

namespace casemate::program {
namespace {

// Behind two counts: every text ends with a zero byte, the path first.
constexpr size_t kHead = 2 * sizeof(uint32_t);

}  // namespace

Result<std::vector<uint8_t>> encode(const Order& order) {
  std::vector<uint8_t> out(kHead);
  const uint32_t counts[] = {static_cast<uint32_t>(order.words.size()),
                             static_cast<uint32_t>(order.environment.size())};
  std::ranges::copy(bytes_of(counts), out.begin());
  const auto put = [&](const std::string& text) {
    out.insert(out.end(), text.begin(), text.end());
    out.push_back(0);
  };
  put(order.path);
  for (const std::string& word : order.words) put(word);
  for (const std::string& entry : order.environment) put(entry);
  if (out.size() <= Order::kBytesMax) return out;
  return Error{Code::kTooLarge,
               formatted("the program's arguments and environment have {} bytes of at most {}; "
                         "pass less, or a file with --file",
                         out.size(), Order::kBytesMax)};
}

Result<Order> decode(Bytes bytes) {
  const Error wrong{Code::kInvalid, "this is no order to run a program"};
  if (bytes.size() < kHead || bytes.size() > Order::kBytesMax || bytes.back() != 0) return wrong;
  const auto words = load<uint32_t>(bytes);
  const auto entries = load<uint32_t>(bytes.subspan(sizeof(uint32_t)));
  std::vector<std::string> texts;
  for (Bytes rest = bytes.subspan(kHead); !rest.empty();) {
    texts.emplace_back(text_of(rest).substr(0, text_of(rest).find('\0')));
    rest = rest.subspan(texts.back().size() + 1);
  }
  if (words == 0 || texts.size() != uint64_t{1} + words + entries) return wrong;
  Order order;
  order.path = texts[0];
  order.words.assign(texts.begin() + 1, texts.begin() + 1 + words);
  order.environment.assign(texts.begin() + 1 + words, texts.end());
  return order;
}

}  // namespace casemate::program
