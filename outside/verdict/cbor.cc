// SPDX-License-Identifier: Apache-2.0
#include "outside/verdict/cbor.h"

#include <array>

#include "base/format.h"

namespace casemate::verify {
namespace {

constexpr std::array<std::string_view, 8> kTypeNames = {"an unsigned number",
                                                        "a negative number",
                                                        "a byte string",
                                                        "a text string",
                                                        "an array",
                                                        "a map",
                                                        "a tag",
                                                        "a simple value"};

}  // namespace

Result<uint64_t> CborReader::head(CborType type, std::string_view what) {
  if (at_ >= data_.size())
    return Error{Code::kInvalid, formatted("{} is missing: the bytes end at {}", what, at_)};
  const uint8_t first = data_[at_];
  const uint8_t found = first >> 5;
  const uint8_t detail = first & 31;
  if (found != static_cast<uint8_t>(type)) {
    return Error{Code::kInvalid,
                 formatted("{} at byte {} should be {} and is {}", what, at_,
                           kTypeNames[static_cast<uint8_t>(type)], kTypeNames[found])};
  }
  if (detail < 24) {
    ++at_;
    return detail;
  }
  if (detail > 27) {
    return Error{Code::kInvalid,
                 formatted("{} at byte {} has an indefinite or reserved length", what, at_)};
  }
  const size_t size = size_t{1} << (detail - 24);
  if (data_.size() - at_ - 1 < size)
    return Error{Code::kInvalid, formatted("the bytes end inside the head of {}", what)};
  uint64_t value = 0;
  for (const uint8_t byte : data_.subspan(at_ + 1, size)) value = value << 8 | byte;
  // The smallest value that needs a head of this size.
  const uint64_t least = size == 1 ? 24 : uint64_t{1} << (4 * size);
  if (value < least) {
    return Error{Code::kInvalid,
                 formatted("{} at byte {} is not written in its shortest form", what, at_)};
  }
  at_ += 1 + size;
  return value;
}

Result<Bytes> CborReader::string(CborType type, std::string_view what) {
  const uint64_t size = TRY(head(type, what));
  const size_t left = data_.size() - at_;
  if (size > left) {
    return Error{Code::kInvalid,
                 formatted("{} says it has {} bytes and only {} follow", what, size, left)};
  }
  const Bytes value = data_.subspan(at_, size);
  at_ += size;
  return value;
}

Result<Bytes> CborReader::bytes(std::string_view what) { return string(CborType::kBytes, what); }

Result<std::string_view> CborReader::text(std::string_view what) {
  return casemate::text_of(TRY(string(CborType::kText, what)));
}

std::optional<CborType> CborReader::next() const {
  if (at_ >= data_.size()) return std::nullopt;
  return static_cast<CborType>(data_[at_] >> 5);
}

Result<Bytes> CborReader::skip(std::string_view what) {
  const size_t start = at_;
  // Items that are still to come; each has a byte at least, so their number is bounded by what is
  // left.
  for (uint64_t items = 1; items > 0; --items) {
    const auto type = next();
    if (!type) return Error{Code::kInvalid, formatted("the bytes end inside {}", what)};
    if (*type == CborType::kBytes || *type == CborType::kText) {
      TRY(string(*type, what));
      continue;
    }
    if (*type == CborType::kSimple) {
      TRY(skip_simple(what));
      continue;
    }
    const uint64_t value = TRY(head(*type, what));
    const bool container = *type == CborType::kArray || *type == CborType::kMap;
    if (container && value > data_.size() - at_)
      return Error{Code::kInvalid, formatted("{} announces more items than bytes follow", what)};
    items += *type == CborType::kArray ? value : *type == CborType::kMap ? 2 * value : 0;
    items += *type == CborType::kTag ? 1 : 0;
    if (items > data_.size())
      return Error{Code::kInvalid, formatted("{} announces more items than bytes follow", what)};
  }
  return data_.subspan(start, at_ - start);
}

// false, true, null, undefined, and floating-point numbers of two, four or eight bytes.
Status CborReader::skip_simple(std::string_view what) {
  const uint8_t detail = data_[at_] & 31;
  const size_t size = detail >= 25 && detail <= 27 ? size_t{1} << (detail - 24) : 0;
  if ((detail < 20 || detail > 23) && size == 0)
    return Error{Code::kInvalid, formatted("{} holds a simple value that nobody defined", what)};
  if (data_.size() - at_ - 1 < size)
    return Error{Code::kInvalid, formatted("the bytes end inside {}", what)};
  at_ += 1 + size;
  return {};
}

Result<int64_t> CborReader::integer(std::string_view what) {
  const bool negative = next() == CborType::kNegative;
  const uint64_t value = TRY(head(negative ? CborType::kNegative : CborType::kUnsigned, what));
  if (value > INT64_MAX)
    return Error{Code::kInvalid, formatted("{} is beyond any number that is meant here", what)};
  return negative ? -1 - static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

Status CborReader::end(std::string_view what) const {
  if (at_ != data_.size()) {
    return Error{Code::kInvalid,
                 formatted("{} bytes follow after the end of {}", data_.size() - at_, what)};
  }
  return {};
}

}  // namespace casemate::verify
