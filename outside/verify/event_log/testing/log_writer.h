// SPDX-License-Identifier: Apache-2.0
#pragma once
// LogWriter: writes event logs as firmware does, for tests.
//
//   Owns     the bytes.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    cannot.

#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"

namespace casemate::verify::testing {

class LogWriter final {
 public:
  static constexpr uint32_t kNoAction = 3;

  // The header, for logs with digests by SHA-1, SHA-256 and SHA-384, as firmware of today writes.
  LogWriter() {
    number<uint32_t>(0).number<uint32_t>(kNoAction).bytes(ByteArray<20>{});
    constexpr std::string_view kName("Spec ID Event03\0", 16);
    number<uint32_t>(16 + 4 + 4 + 4 + 3 * 4 + 1).bytes(bytes_of(kName));
    number<uint32_t>(0).number<uint8_t>(0).number<uint8_t>(2).number<uint8_t>(0).number<uint8_t>(2);
    number<uint32_t>(3);
    number<uint16_t>(0x4).number<uint16_t>(20);
    number<uint16_t>(0xB).number<uint16_t>(32);
    number<uint16_t>(0xC).number<uint16_t>(48);
    number<uint8_t>(0);
  }
  // An event whose digests are of `data`, or of `measured` where it is given.
  LogWriter& event(uint32_t index, uint32_t type, std::string_view data,
                   std::string_view measured = {}) {
    const Bytes content = bytes_of(measured.empty() ? data : measured);
    number<uint32_t>(index).number<uint32_t>(type).number<uint32_t>(3);
    number<uint16_t>(0x4).bytes(ByteArray<20>{});
    number<uint16_t>(0xB).bytes(sha256(content));
    number<uint16_t>(0xC).bytes(sha384(content));
    number<uint32_t>(static_cast<uint32_t>(data.size())).bytes(bytes_of(data));
    return *this;
  }
  template <class T>
  LogWriter& number(T value) {
    return bytes(bytes_of(value));
  }
  LogWriter& bytes(Bytes bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  [[nodiscard]] const std::vector<uint8_t>& log() const { return out_; }

 private:
  std::vector<uint8_t> out_;
};

}  // namespace casemate::verify::testing
