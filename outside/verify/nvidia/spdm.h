// SPDX-License-Identifier: Apache-2.0
#pragma once
// Transcript of one SPDM 1.1 exchange (DMTF DSP0274): GET_MEASUREMENTS with a nonce, and the
// answer, which the device signs together with the request.
//
//   request   11 E0 p1 p2 | nonce 32 | slot
//   response  11 60 p1 p2 | count | record length, 3 bytes | record | nonce 32 | length u16 |
//   opaque | r || s record    blocks {index, specification, size u16, {type, length u16, value}}
//
//   Owns     copies.
//   Threads  pure functions.
//   Trust    hostile until its signature was checked.
//   Fails    kInvalid with the part and what is wrong with it.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"

namespace casemate::verify::nvidia {

struct Block {
  uint8_t type = 0;
  std::vector<uint8_t> value;
};

struct Transcript {
  static constexpr size_t kRequestBytes = 37;
  static constexpr size_t kBlocksOfGpu = 64;
  static constexpr size_t kBlocksOfSwitch = 31;

  ByteArray<32> nonce{};            // of the request
  ByteArray<32> device_nonce{};     // of the response
  std::map<uint8_t, Block> blocks;  // by index
  std::string driver;               // versions; empty where the device does not say
  std::string vbios;
  std::vector<uint8_t> fwid;
  std::vector<uint8_t> signed_bytes;
  Signature signature{};
};

// A transcript in binary or as hexadecimal text, behind which a newline may stand.
Result<Transcript> read_transcript(Bytes evidence);

}  // namespace casemate::verify::nvidia
