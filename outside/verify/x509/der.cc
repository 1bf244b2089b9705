// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/x509/der.h"

#include "base/format.h"

namespace casemate::verify {

Result<Bytes> DerReader::any(std::string_view what) {
  const Bytes left = data_.subspan(at_);
  if (left.size() < 2) return Error{Code::kInvalid, formatted("{} is missing or cut off", what)};
  size_t head = 2;
  size_t size = left[1];
  if (size >= 0x80) {
    // Objects of ours have less than 64 KiB; so one or two bytes of length.
    const size_t count = size - 0x80;
    if (count == 0 || count > 2 || left.size() < 2 + count)
      return Error{Code::kInvalid, formatted("{} has a length that is none", what)};
    head += count;
    size = count == 1 ? left[2] : size_t{left[2]} << 8 | left[3];
    if (size < (count == 1 ? 0x80u : 0x100u))
      return Error{Code::kInvalid, formatted("{} has a length not in its shortest form", what)};
  }
  if (size > left.size() - head) {
    return Error{Code::kInvalid, formatted("{} says it has {} bytes and only {} follow", what, size,
                                           left.size() - head)};
  }
  at_ += head + size;
  return left.subspan(head, size);
}

Result<Bytes> DerReader::element(DerTag tag, std::string_view what) {
  const size_t start = at_;
  const Bytes content = TRY(any(what));
  if (data_[start] != static_cast<uint8_t>(tag)) {
    return Error{Code::kInvalid, formatted("{} should have the tag {:#04x} and has {:#04x}", what,
                                           static_cast<uint8_t>(tag), data_[start])};
  }
  return content;
}

Result<uint64_t> DerReader::number(uint64_t most, std::string_view what) {
  const Bytes content = TRY(element(DerTag::kInteger, what));
  const bool shortest =
      content.size() == 1 || (content.size() > 1 && (content[0] != 0 || (content[1] & 0x80) != 0));
  if (!shortest || content.size() > 8 || (content[0] & 0x80) != 0)
    return Error{Code::kInvalid, formatted("{} is no number of ours", what)};
  uint64_t value = 0;
  for (const uint8_t byte : content) value = value << 8 | byte;
  if (value > most) return Error{Code::kInvalid, formatted("{} is {}, over {}", what, value, most)};
  return value;
}

}  // namespace casemate::verify
