// SPDX-License-Identifier: Apache-2.0
#pragma once
// Package: a sealed model. An ONNX file, cut into its graph and its tensors, each of which is
// encrypted by itself, in chunks that open in any order.
//
//   Header │ Part × parts │ policy │ signature │ chunks of part 0 │ chunks of part 1 │ ...
//   '----------- manifest ---------'             the graph          a tensor
//
//   chunk = AES-256-GCM(part_key, nonce = its number, associated data = ChunkLabel), then its tag
//   part_key = HKDF-SHA384(key of the package, salt = SHA-384(manifest), label = its number)
//
// Everything in the manifest goes into every key, and everything about a chunk's place into its
// label: what was changed, moved, left out, or comes from another package or version, does not
// open. All integers are little-endian; there is no padding.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    a file may be anybody's: read() bounds every number before it is used. It says that
//            the manifest is whole and signed by the key that it names, not whose key that is.
//   Fails    kInvalid and what is wrong, kUnsupported for another format, kTooLarge.

#include <string>
#include <vector>

#include "base/derive.h"
#include "wire/evidence/evidence.h"

namespace casemate::sealed {

inline constexpr uint32_t kChunkMin = 64 << 10;
inline constexpr uint32_t kChunkMax = 1 << 20;
inline constexpr uint64_t kTagBytes = 16;
// Twice what the largest models of today have; the table takes 1 MiB then.
inline constexpr uint32_t kPartsMax = 65'536;
inline constexpr uint32_t kPolicyMax = 64 << 10;
// What protobuf can read.
inline constexpr uint64_t kPlainMax = INT32_MAX;

using PackageId = ByteArray<16>;

struct Header {
  static constexpr uint64_t kMagic = 0x4C4145534D534143;  // "CASMSEAL"
  static constexpr uint32_t kFormat = 1;

  uint64_t magic = kMagic;
  uint32_t format = kFormat;
  uint32_t chunk_bytes = 0;  // a power of two; the last chunk of a part may be shorter
  PackageId package{};       // random: no two packages share keys
  uint32_t version = 0;      // of the model
  uint32_t parts = 0;        // the graph and the tensors
  uint64_t plain_bytes = 0;  // of the ONNX file
  int64_t sealed_unix = 0;
  uint32_t policy_bytes = 0;
  uint32_t maker_bytes = 0;
  Text<64> name;           // of the model
  ByteArray<128> maker{};  // the key that signed: SPKI DER
};
static_assert(sizeof(Header) == 256);

// Part 0 is the graph: all of the ONNX file that is in no other part. The others lie in the file in
// this order and do not overlap.
struct Part {
  uint64_t at = 0;  // in the ONNX file; 0 for the graph
  uint64_t bytes = 0;
};
static_assert(sizeof(Part) == 16);

// The associated data of a chunk.
struct ChunkLabel {
  static constexpr uint64_t kMagic = 0x4B4E48434D534143;  // "CASMCHNK"
  uint64_t magic = kMagic;
  PackageId package{};
  uint32_t version = 0;
  uint32_t part = 0;
  uint32_t parts = 0;
  uint32_t chunk_bytes = 0;
  uint64_t chunk = 0;
  uint64_t chunks = 0;  // of the part
  uint64_t bytes = 0;   // of the part
};
static_assert(sizeof(ChunkLabel) == 64);

// The manifest of a package, checked.
struct Package {
  Header header;
  std::vector<Part> parts;
  std::string policy;       // JSON, as outside/verify reads it: who may open it
  Sha384Digest manifest{};  // SHA-384 of header, parts and policy

  // `front` is the beginning of a file of `file_bytes`, up to its signature at least.
  static Result<Package> read(Bytes front, uint64_t file_bytes);

  [[nodiscard]] uint64_t chunks_of(uint32_t part) const;
  // Where the chunk begins in the package, and how many bytes it holds there without its tag.
  [[nodiscard]] uint64_t place_of(uint32_t part, uint64_t chunk) const;
  [[nodiscard]] uint64_t size_of(uint32_t part, uint64_t chunk) const;
  [[nodiscard]] ChunkLabel label_of(uint32_t part, uint64_t chunk) const;
  // Requires: `key` is the package's.
  [[nodiscard]] SecretKey key_of(Bytes key, uint32_t part) const;
  [[nodiscard]] Bytes maker() const { return Bytes(header.maker).first(header.maker_bytes); }

  // Fills places in, after header and parts. Whoever seals calls it; read() does it by itself.
  void place();

 private:
  std::vector<uint64_t> places_;  // by part, and the end of the file
};

// Header, parts and policy as they are signed and hashed. Requires: the counts in the header fit.
std::vector<uint8_t> manifest_of(const Header& header, std::span<const Part> parts,
                                 std::string_view policy);

// The nonce of a chunk: unique under the key of its part, which is used for one package alone.
ByteArray<12> nonce_of(uint64_t chunk);

// What the monitor's token says as the model measurement of an enclave that has this package as its
// only file.
inline constexpr std::string_view kFileName = "model.sealed";
Sha384Digest measurement_of(const Sha384Digest& file);

}  // namespace casemate::sealed
