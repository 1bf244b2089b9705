// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/nvidia/spdm.h"

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/reader.h"

namespace casemate::verify::nvidia {
namespace {

constexpr uint8_t kVersion = 0x11;
constexpr uint8_t kGetMeasurements = 0xe0;
constexpr uint8_t kMeasurements = 0x60;
constexpr size_t kTranscriptBytes = 64 << 10;
constexpr size_t kValueBytes = 64;  // SHA-512; these devices use SHA-384

// Types of the opaque fields.
constexpr uint16_t kDriver = 3;
constexpr uint16_t kVbios = 6;
constexpr uint16_t kFwid = 20;

Error no_transcript(std::string text) { return {Code::kInvalid, std::move(text)}; }

Status read_blocks(Bytes record, size_t count, Transcript& transcript) {
  ByteReader reader(record);
  int last = -1;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t index = reader.u8();
    const uint8_t specification = reader.u8();
    const uint16_t size = reader.u16();
    Block block{.type = reader.u8(), .value = {}};
    const uint16_t length = reader.u16();
    const Bytes value = reader.bytes(length);
    if (reader.failed())
      return no_transcript(formatted("the record ends inside block {} of {}", i + 1, count));
    if (specification != 1 || size != length + 3 || value.empty() || value.size() > kValueBytes)
      return no_transcript(formatted("block {} is not laid out as DMTF does", index));
    if (index <= last) return no_transcript(formatted("block {} follows block {}", index, last));
    last = index;
    block.value.assign(value.begin(), value.end());
    transcript.blocks.emplace(index, std::move(block));
  }
  if (!reader.finished()) return no_transcript("the record has bytes behind its last block");
  return {};
}

// A version that is text, or else its bytes in hexadecimal.
std::string version_text(Bytes value) {
  std::string_view text = casemate::text_of(value);
  while (text.ends_with('\0')) text.remove_suffix(1);
  const bool plain = !text.empty() && printable(text, 64) == text;
  return plain ? std::string(text) : to_hex(value.first(std::min<size_t>(value.size(), 64)));
}

Status read_opaque(Bytes opaque, Transcript& transcript) {
  ByteReader reader(opaque);
  while (reader.left() > 0) {
    const uint16_t type = reader.u16();
    const uint16_t length = reader.u16();
    const Bytes value = reader.bytes(length);
    if (reader.failed()) return no_transcript("the opaque data end inside a field");
    const bool doubled = (type == kDriver && !transcript.driver.empty()) ||
                         (type == kVbios && !transcript.vbios.empty()) ||
                         (type == kFwid && !transcript.fwid.empty());
    if (doubled) return no_transcript(formatted("the opaque field {} is there twice", type));
    if (type == kDriver) transcript.driver = version_text(value);
    if (type == kVbios) transcript.vbios = version_text(value);
    if (type == kFwid) transcript.fwid.assign(value.begin(), value.end());
  }
  return {};
}

Result<Transcript> read_binary(Bytes bytes) {
  if (bytes.size() > kTranscriptBytes) return no_transcript("more than 64 KiB");
  Transcript transcript;
  ByteReader reader(bytes);
  const auto request = reader.array<4>();
  transcript.nonce = reader.array<32>();
  const uint8_t slot = reader.u8();
  const auto response = reader.array<4>();
  const uint8_t count = reader.u8();
  const auto size = reader.array<3>();
  const Bytes record = reader.bytes(static_cast<size_t>(size[0] | size[1] << 8 | size[2] << 16));
  transcript.device_nonce = reader.array<32>();
  const Bytes opaque = reader.bytes(reader.u16());
  const size_t signed_size = reader.offset();
  transcript.signature = reader.array<sizeof(Signature)>();
  if (!reader.finished())
    return no_transcript(formatted("its parts do not add up to {} bytes", bytes.size()));
  if (request[0] != kVersion || request[1] != kGetMeasurements || response[0] != kVersion ||
      response[1] != kMeasurements)
    return no_transcript("no request and answer of SPDM 1.1 for measurements");
  if ((request[2] & 1) == 0) return no_transcript("the request did not ask for a signature");
  if (slot > 7) return no_transcript("the request asks for a slot beyond 7");
  TRY(read_blocks(record, count, transcript));
  TRY(read_opaque(opaque, transcript));
  transcript.signed_bytes.assign(bytes.begin(),
                                 bytes.begin() + static_cast<std::ptrdiff_t>(signed_size));
  return transcript;
}

}  // namespace

Result<Transcript> read_transcript(Bytes evidence) {
  std::string_view text = casemate::text_of(evidence);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() <= 2 * kTranscriptBytes && text.starts_with("11")) {
    if (const auto bytes = from_hex(text)) return read_binary(*bytes);
  }
  return read_binary(evidence);
}

}  // namespace casemate::verify::nvidia
