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
  return text_of(TRY(string(CborType::kText, what)));
}

Status CborReader::end(std::string_view what) const {
  if (at_ != data_.size()) {
    return Error{Code::kInvalid,
                 formatted("{} bytes follow after the end of {}", data_.size() - at_, what)};
  }
  return {};
}

}  // namespace casemate::verify
