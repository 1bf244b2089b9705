// SPDX-License-Identifier: Apache-2.0
// A package as anybody may make it. The first byte even: the rest is a file. Odd: the rest is its
// manifest, which is signed here, so that what lies behind the signature is reached too. What is
// read must be within the file and cover it once.
#include <algorithm>
#include <cstdlib>

#include "wire/sealed/sealed.h"

namespace {

using casemate::Bytes;
using casemate::sealed::Header;
using casemate::sealed::kTagBytes;
using casemate::sealed::Package;
using casemate::sealed::Part;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(Bytes file, uint64_t file_bytes) {
  const auto package = Package::read(file, file_bytes);
  if (!package) return;
  uint64_t at = package->place_of(0, 0);
  uint64_t plain = 0;
  for (uint32_t part = 0; part < package->parts.size(); ++part) {
    const uint64_t chunks = package->chunks_of(part);
    require(chunks > 0 && package->place_of(part, 0) == at);
    const uint64_t last = package->place_of(part, chunks - 1);
    const uint64_t size = package->size_of(part, chunks - 1);
    require(size > 0 && size <= package->header.chunk_bytes && last >= at);
    at = last + size + kTagBytes;
    plain += package->parts[part].bytes;
  }
  require(at == file_bytes && plain == package->header.plain_bytes);
}

// As large as its manifest says that it is.
uint64_t file_bytes_of(const Header& header, Bytes manifest) {
  uint64_t bytes = manifest.size() + sizeof(casemate::Signature);
  for (uint32_t i = 0; i < header.parts && header.chunk_bytes != 0; ++i) {
    const auto part = casemate::load<Part>(manifest.subspan(sizeof(Header) + i * sizeof(Part)));
    bytes += part.bytes + part.bytes / header.chunk_bytes * kTagBytes;
    if (part.bytes % header.chunk_bytes != 0) bytes += kTagBytes;
  }
  return bytes;
}

// The manifest with what a fuzzer does not find by itself.
Header mended(const casemate::SigningKey& maker, Bytes manifest) {
  auto header = casemate::load<Header>(manifest);
  header.magic = Header::kMagic;
  header.format = Header::kFormat;
  header.maker_bytes = static_cast<uint32_t>(maker.public_der().size());
  std::ranges::copy(maker.public_der(), header.maker.begin());
  header.parts %= static_cast<uint32_t>((manifest.size() - sizeof(Header)) / sizeof(Part) + 1);
  header.policy_bytes =
      static_cast<uint32_t>(manifest.size() - sizeof(Header) - header.parts * sizeof(Part));
  return header;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const casemate::SigningKey maker = *casemate::SigningKey::generate();
  if (size == 0) return 0;
  const Bytes input(data + 1, size - 1);
  if (data[0] % 2 == 0 || input.size() < sizeof(Header)) {
    check(input, input.size());
    return 0;
  }
  std::vector<uint8_t> file(input.begin(), input.end());
  const Header header = mended(maker, file);
  std::ranges::copy(casemate::bytes_of(header), file.begin());
  const uint64_t file_bytes = file_bytes_of(header, file);
  const auto signature = maker.sign(file);
  require(signature.has_value());
  file.insert(file.end(), signature->begin(), signature->end());
  check(file, file_bytes);
  return 0;
}
