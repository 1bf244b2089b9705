// SPDX-License-Identifier: Apache-2.0
#pragma once
// DerReader: takes elements off the front of DER (X.690), for the extensions that vendors define
// and libcrypto does not know.
//
// Tags are of one byte, lengths in their shortest form; the caller walks the structure, so a
// hostile sender cannot choose the depth.
//
//   Owns     nothing: what it returns are views of the bytes that it was given.
//   Threads  as an iterator.
//   Trust    the bytes may be hostile: every length is compared with what is left before use.
//   Fails    kInvalid with what was being read and what was found.

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::verify {

enum class DerTag : uint8_t {
  kInteger = 0x02,
  kOctets = 0x04,
  kOid = 0x06,
  kEnumerated = 0x0A,
  kSequence = 0x30,
};

class DerReader final {
 public:
  explicit DerReader(Bytes data) : data_(data) {}

  // The content of the next element, which must be of kind `tag`. `what` names it in an error.
  Result<Bytes> element(DerTag tag, std::string_view what);
  // The content of the next element, whatever it is.
  Result<Bytes> any(std::string_view what);
  // The next element as a number from 0 to `most`.
  Result<uint64_t> number(uint64_t most, std::string_view what);
  [[nodiscard]] bool done() const { return at_ == data_.size(); }

 private:
  Bytes data_;
  size_t at_ = 0;
};

}  // namespace casemate::verify
