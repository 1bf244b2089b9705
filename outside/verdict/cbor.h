// SPDX-License-Identifier: Apache-2.0
#pragma once
// CborReader: reads the few kinds of CBOR item that evidence is made of (RFC 8949), one after the
// other, in the order that the caller names.
//
// Only deterministic encodings are taken (section 4.2.1: definite lengths, shortest heads), so a
// value has one spelling and nothing can hide in a second one. The caller walks the structure; the
// reader never recurses, so a hostile sender cannot choose the depth.
//
//   Owns     nothing: what it returns are views of the bytes that it was given.
//   Threads  as an iterator.
//   Trust    the bytes may be hostile: every length is compared with what is left before use.
//   Fails    kInvalid with what was being read, the offset, and what was found.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::verify {

// The major types of RFC 8949, section 3.1, that evidence uses.
enum class CborType : uint8_t {
  kUnsigned = 0,
  kNegative = 1,
  kBytes = 2,
  kText = 3,
  kArray = 4,
  kMap = 5,
  kTag = 6,
  kSimple = 7,
};

class CborReader final {
 public:
  explicit CborReader(Bytes data) : data_(data) {}

  // The number in a head of type `type`: a value, a length, a count or a tag. `what` names the item
  // in an error.
  Result<uint64_t> head(CborType type, std::string_view what);
  // A byte string; a text string (whose UTF-8 is not checked: compare it, do not print it).
  Result<Bytes> bytes(std::string_view what);
  Result<std::string_view> text(std::string_view what);
  // The type of the next item; nothing at the end.
  [[nodiscard]] std::optional<CborType> next() const;
  // Passes over one item with all that is in it, however deep, and returns its bytes. Simple
  // values and floating-point numbers are passed over too, and read by nobody.
  Result<Bytes> skip(std::string_view what);
  // A number, negative or not; fails beyond the range of int64_t.
  Result<int64_t> integer(std::string_view what);
  // Succeeds when nothing is left.
  Status end(std::string_view what) const;

 private:
  Result<Bytes> string(CborType type, std::string_view what);
  Status skip_simple(std::string_view what);
  Bytes data_;
  size_t at_ = 0;
};

}  // namespace casemate::verify
