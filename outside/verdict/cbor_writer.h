// SPDX-License-Identifier: Apache-2.0
#pragma once
// CborWriter: writes the deterministic CBOR (RFC 8949, section 4.2.1) that CborReader reads, item
// after item. Keys of a map stand in the order in which the caller writes them: bytewise, if he
// wants it deterministic.
//
//   Owns     what was written.
//   Threads  one.
//   Trust    our own values.
//   Fails    cannot.

#include <vector>

#include "outside/verdict/cbor.h"

namespace casemate::verify {

class CborWriter final {
 public:
  CborWriter& head(CborType type, uint64_t value) {
    const auto top = static_cast<uint8_t>(static_cast<uint8_t>(type) << 5);
    if (value < 24) {
      written_.push_back(static_cast<uint8_t>(top | value));
      return *this;
    }
    const int log = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 : value <= UINT32_MAX ? 2 : 3;
    written_.push_back(static_cast<uint8_t>(top | (24 + log)));
    for (int at = (1 << log) - 1; at >= 0; --at)
      written_.push_back(static_cast<uint8_t>(value >> (8 * at)));
    return *this;
  }
  CborWriter& bytes(Bytes value) {
    head(CborType::kBytes, value.size());
    return raw(value);
  }
  CborWriter& text(std::string_view value) {
    head(CborType::kText, value.size());
    return raw(bytes_of(value));
  }
  CborWriter& integer(int64_t value) {
    if (value < 0) return head(CborType::kNegative, static_cast<uint64_t>(-1 - value));
    return head(CborType::kUnsigned, static_cast<uint64_t>(value));
  }
  // One item that is CBOR already.
  CborWriter& raw(Bytes item) {
    written_.insert(written_.end(), item.begin(), item.end());
    return *this;
  }
  [[nodiscard]] const std::vector<uint8_t>& written() const { return written_; }

 private:
  std::vector<uint8_t> written_;
};

}  // namespace casemate::verify
