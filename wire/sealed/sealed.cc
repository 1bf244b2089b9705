// SPDX-License-Identifier: Apache-2.0
#include "wire/sealed/sealed.h"

#include <bit>

#include "base/format.h"

namespace casemate::sealed {
namespace {

Error wrong(std::string_view what) {
  return {Code::kInvalid, formatted("the sealed model is damaged or made up: {}", what)};
}

Status check_header(const Header& h) {
  if (h.magic != Header::kMagic) return wrong("it does not begin as one");
  if (h.format != Header::kFormat)
    return Error{Code::kUnsupported, formatted("the sealed model has format {}, this build reads "
                                               "{}: seal it with this build",
                                               h.format, Header::kFormat)};
  if (!std::has_single_bit(h.chunk_bytes) || h.chunk_bytes < kChunkMin || h.chunk_bytes > kChunkMax)
    return wrong("its chunks have no size that there is");
  if (h.version == 0) return wrong("it has no version");
  if (h.parts == 0 || h.parts > kPartsMax) return wrong("it counts parts that it cannot have");
  if (h.plain_bytes == 0 || h.plain_bytes > kPlainMax) return wrong("its model has no size");
  if (h.policy_bytes > kPolicyMax) return wrong("its policy is too long");
  if (h.maker_bytes > h.maker.size()) return wrong("its maker's key is too long");
  if (!h.name.canonical() || h.name.view().empty()) return wrong("its name does not end");
  return {};
}

Status check_parts(const Header& h, std::span<const Part> parts) {
  uint64_t end = 0;
  uint64_t tensors = 0;
  for (const Part& part : parts.subspan(1)) {
    if (part.bytes == 0 || part.at < end || part.at > h.plain_bytes ||
        part.bytes > h.plain_bytes - part.at)
      return wrong("its parts overlap or lie outside of it");
    end = part.at + part.bytes;
    tensors += part.bytes;
  }
  if (parts[0].at != 0 || parts[0].bytes == 0 || parts[0].bytes != h.plain_bytes - tensors)
    return wrong("its graph is not what its tensors leave");
  return {};
}

}  // namespace

std::vector<uint8_t> manifest_of(const Header& header, std::span<const Part> parts,
                                 std::string_view policy) {
  std::vector<uint8_t> manifest;
  const auto append = [&](Bytes bytes) {
    manifest.insert(manifest.end(), bytes.begin(), bytes.end());
  };
  append(bytes_of(header));
  for (const Part& part : parts) append(bytes_of(part));
  append(bytes_of(policy));
  return manifest;
}

void Package::place() {
  uint64_t at = sizeof(Header) + parts.size() * sizeof(Part) + policy.size() + sizeof(Signature);
  places_.clear();
  for (uint32_t part = 0; part < parts.size(); ++part) {
    places_.push_back(at);
    at += parts[part].bytes + chunks_of(part) * kTagBytes;
  }
  places_.push_back(at);
}

Result<Package> Package::read(Bytes front, uint64_t file_bytes) {
  Package package;
  if (front.size() < sizeof(Header)) return wrong("it is too short");
  package.header = load<Header>(front);
  const Header& h = package.header;
  TRY(check_header(h));
  const size_t signed_bytes = sizeof(Header) + h.parts * sizeof(Part) + h.policy_bytes;
  if (front.size() < signed_bytes + sizeof(Signature)) return wrong("it ends in its manifest");
  const Bytes manifest = front.first(signed_bytes);
  for (uint32_t i = 0; i < h.parts; ++i)
    package.parts.push_back(load<Part>(front.subspan(sizeof(Header) + i * sizeof(Part))));
  TRY(check_parts(h, package.parts));
  package.policy = text_of(manifest.last(h.policy_bytes));
  package.manifest = sha384(manifest);
  if (!verify_signature(package.maker(), manifest, load<Signature>(front.subspan(signed_bytes))))
    return wrong("its maker has not signed this manifest");
  package.place();
  if (package.places_.back() != file_bytes)
    return wrong(formatted("it has {} bytes, and its manifest counts {}", file_bytes,
                           package.places_.back()));
  return package;
}

uint64_t Package::chunks_of(uint32_t part) const {
  return (parts[part].bytes + header.chunk_bytes - 1) / header.chunk_bytes;
}

uint64_t Package::place_of(uint32_t part, uint64_t chunk) const {
  return places_[part] + chunk * (header.chunk_bytes + kTagBytes);
}

uint64_t Package::size_of(uint32_t part, uint64_t chunk) const {
  return std::min<uint64_t>(header.chunk_bytes, parts[part].bytes - chunk * header.chunk_bytes);
}

ChunkLabel Package::label_of(uint32_t part, uint64_t chunk) const {
  ChunkLabel label;
  label.package = header.package;
  label.version = header.version;
  label.part = part;
  label.parts = header.parts;
  label.chunk_bytes = header.chunk_bytes;
  label.chunk = chunk;
  label.chunks = chunks_of(part);
  label.bytes = parts[part].bytes;
  return label;
}

SecretKey Package::key_of(Bytes key, uint32_t part) const {
  struct {
    ByteArray<28> purpose{"casemate sealed model, part"};
    uint32_t part;
  } label{.part = part};
  return derive_key(key, manifest, bytes_of(label));
}

ByteArray<12> nonce_of(uint64_t chunk) {
  ByteArray<12> nonce{};
  std::ranges::copy(bytes_of(chunk), nonce.begin());
  return nonce;
}

Sha384Digest measurement_of(const Sha384Digest& file) {
  return Sha384().field(bytes_of(kFileName)).field(file).finish();
}

}  // namespace casemate::sealed
