// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/launch.h"

#include <algorithm>
#include <map>

#include "base/format.h"

namespace casemate::verify::snp {
namespace {

constexpr size_t kPage = 4096;
constexpr uint64_t kFourGiB = uint64_t{1} << 32;
constexpr uint64_t kVmsaAddress = 0xfffffffff000;
constexpr uint32_t kResetAddress = 0xfffffff0;

enum class PageType : uint8_t { kNormal = 1, kVmsa = 2, kZero = 3, kSecrets = 5, kCpuid = 6 };

// GUIDs in an image are text's numbers in little-endian order, but for the last eight bytes.
using Guid = ByteArray<16>;
constexpr Guid kTableEnd = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                            0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
constexpr Guid kHashTableArea = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
constexpr Guid kResetBlock = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                              0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
constexpr Guid kMetadata = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                            0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
// Of the table of hashes that QEMU puts beside a kernel.
constexpr Guid kHashTable = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                             0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
constexpr Guid kCommandLineHash = {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c,
                                   0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
constexpr Guid kInitrdHash = {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b,
                              0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
constexpr Guid kKernelHash = {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42,
                              0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};

constexpr size_t kTableFooterFromEnd = 32;  // the reset vector is behind it
constexpr size_t kGuidEntry = 18;           // size u16, GUID

// Types of sections in an image's metadata.
constexpr uint32_t kSectionMemory = 1;
constexpr uint32_t kSectionSecrets = 2;
constexpr uint32_t kSectionCpuid = 3;
constexpr uint32_t kSectionSvsmArea = 4;
constexpr uint32_t kSectionKernelHashes = 0x10;
constexpr uint32_t kSectionBytes = 64 << 20;
constexpr uint32_t kSections = 64;

struct Section {
  uint32_t address = 0;
  uint32_t size = 0;
  uint32_t type = 0;
};

struct Image {
  uint32_t reset_address = 0;
  std::optional<uint32_t> hash_table_address;
  std::vector<Section> sections;
};

// One page more: the digest so far and the page's are hashed together with where it lies.
class LaunchHash final {
 public:
  void page(PageType type, uint64_t address, const Sha384Digest& content) {
    ByteArray<0x70> info{};
    std::ranges::copy(digest_, info.begin());
    std::ranges::copy(content, info.begin() + 48);
    info[96] = sizeof info;
    info[98] = static_cast<uint8_t>(type);
    std::ranges::copy(bytes_of(address), info.begin() + 104);
    digest_ = sha384(info);
  }
  void normal(uint64_t address, Bytes data) {
    for (size_t at = 0; at < data.size(); at += kPage)
      page(PageType::kNormal, address + at, sha384(data.subspan(at, kPage)));
  }
  void zero(uint64_t address, size_t size) {
    for (size_t at = 0; at < size; at += kPage) page(PageType::kZero, address + at, {});
  }
  [[nodiscard]] const Sha384Digest& digest() const { return digest_; }

 private:
  Sha384Digest digest_{};
};

Error bad_image(std::string_view what) {
  return {Code::kInvalid, formatted("the firmware image {}", what)};
}

// The table in front of the reset vector: entries {data, size, GUID}, to be read from behind.
Result<std::map<Guid, Bytes>> table_of(Bytes image) {
  if (image.size() < kTableFooterFromEnd + kGuidEntry || image.size() % kPage != 0 ||
      image.size() > kFourGiB)
    return bad_image("is no number of pages");
  const size_t footer = image.size() - kTableFooterFromEnd - kGuidEntry;
  const size_t size = load<uint16_t>(image.subspan(footer));
  if (load<Guid>(image.subspan(footer + 2)) != kTableEnd || size < kGuidEntry ||
      size - kGuidEntry > footer)
    return bad_image("has no table of GUIDs at its end");
  Bytes left = image.subspan(footer - (size - kGuidEntry), size - kGuidEntry);
  std::map<Guid, Bytes> table;
  while (left.size() >= kGuidEntry) {
    const Bytes head = left.last(kGuidEntry);
    const size_t entry = load<uint16_t>(head);
    if (entry < kGuidEntry || entry > left.size())
      return bad_image("has a table whose entries are longer than it");
    table.emplace(load<Guid>(head.subspan(2)), left.last(entry).first(entry - kGuidEntry));
    left = left.first(left.size() - entry);
  }
  return table;
}

Result<std::vector<Section>> sections_of(Bytes image, uint32_t from_end) {
  if (from_end > image.size() || from_end < 16) return bad_image("has metadata outside of it");
  const Bytes metadata = image.last(from_end);
  const auto count = load<uint32_t>(metadata.subspan(12));
  if (load<uint32_t>(metadata) != 0x56455341 || count > kSections ||
      16 + count * sizeof(Section) > metadata.size())
    return bad_image("has metadata in an unknown form");
  std::vector<Section> sections;
  for (uint32_t i = 0; i < count; ++i) {
    const auto section = load<Section>(metadata.subspan(16 + i * sizeof(Section)));
    if (section.size > kSectionBytes || section.size % kPage != 0 || section.address % kPage != 0)
      return bad_image("has a section that is no number of pages, or beyond 64 MiB");
    sections.push_back(section);
  }
  return sections;
}

Result<Image> read_image(Bytes bytes) {
  const auto table = TRY(table_of(bytes));
  const auto number = [&](const Guid& guid) -> std::optional<uint32_t> {
    const auto found = table.find(guid);
    if (found == table.end() || found->second.size() < 4) return std::nullopt;
    return load<uint32_t>(found->second);
  };
  const auto reset = number(kResetBlock);
  const auto metadata = number(kMetadata);
  if (!reset || !metadata) return bad_image("is none that starts guests of SEV-SNP");
  return Image{.reset_address = *reset,
               .hash_table_address = number(kHashTableArea),
               .sections = TRY(sections_of(bytes, *metadata))};
}

ByteArray<kPage> hashes_page(const MeasuredKernel& kernel, size_t offset) {
  std::vector<uint8_t> table;
  const auto add = [&](const Guid& guid, uint16_t size, Bytes data) {
    table.insert(table.end(), guid.begin(), guid.end());
    table.push_back(static_cast<uint8_t>(size));
    table.push_back(static_cast<uint8_t>(size >> 8));
    table.insert(table.end(), data.begin(), data.end());
  };
  std::string command_line = kernel.command_line;
  command_line.push_back('\0');
  constexpr uint16_t kHashEntry = 16 + 2 + sizeof(Sha256Digest);
  add(kHashTable, kGuidEntry + 3 * kHashEntry, {});
  add(kCommandLineHash, kHashEntry, sha256(bytes_of(std::string_view(command_line))));
  add(kInitrdHash, kHashEntry, kernel.initrd);
  add(kKernelHash, kHashEntry, kernel.kernel);
  ByteArray<kPage> page{};
  std::ranges::copy(table, page.begin() + static_cast<std::ptrdiff_t>(offset));
  return page;
}

// A processor's state when it is started (AMD 24593, table of the VMSA).
ByteArray<kPage> state_page(uint32_t address, const Launch& launch) {
  ByteArray<kPage> page{};
  const auto put = [&](size_t at, auto value) {
    std::ranges::copy(bytes_of(value), page.begin() + static_cast<std::ptrdiff_t>(at));
  };
  const auto segment = [&](size_t at, uint16_t selector, uint16_t attributes, uint64_t base) {
    put(at, selector);
    put(at + 2, attributes);
    put(at + 4, uint32_t{0xffff});
    put(at + 8, base);
  };
  for (const size_t data : {0x00u, 0x20u, 0x30u, 0x40u, 0x50u}) segment(data, 0, 0x93, 0);
  segment(0x10, 0xf000, 0x9b, address & 0xffff0000);  // CS
  segment(0x60, 0, 0, 0);                             // GDTR
  segment(0x70, 0, 0x82, 0);                          // LDTR
  segment(0x80, 0, 0, 0);                             // IDTR
  segment(0x90, 0, 0x8b, 0);                          // TR
  put(0x0d0, uint64_t{0x1000});                       // EFER: SVME
  put(0x148, uint64_t{0x40});                         // CR4: MCE
  put(0x158, uint64_t{0x10});                         // CR0: ET
  put(0x160, uint64_t{0x400});                        // DR7
  put(0x168, uint64_t{0xffff0ff0});                   // DR6
  put(0x170, uint64_t{2});                            // RFLAGS
  put(0x178, uint64_t{address & 0xffff});             // RIP
  put(0x268, uint64_t{0x0007040600070406});           // PAT
  put(0x310, uint64_t{launch.processor_signature});   // RDX
  put(0x3b0, launch.guest_features);
  put(0x3e8, uint64_t{1});       // XCR0
  put(0x408, uint32_t{0x1f80});  // MXCSR
  put(0x410, uint16_t{0x37f});   // x87 control word
  return page;
}

Status add_sections(const Image& image, const Launch& launch, LaunchHash& hash) {
  bool measures_kernels = false;
  for (const Section& section : image.sections) {
    const bool hashes = section.type == kSectionKernelHashes;
    measures_kernels = measures_kernels || hashes;
    if (section.type == kSectionSecrets) {
      hash.page(PageType::kSecrets, section.address, {});
    } else if (section.type == kSectionCpuid) {
      hash.page(PageType::kCpuid, section.address, {});
    } else if (hashes && launch.kernel) {
      const size_t offset = image.hash_table_address.value_or(0) % kPage;
      if (!image.hash_table_address || section.size != kPage || offset > kPage - 256)
        return bad_image("says nowhere where hashes of a kernel lie");
      hash.normal(section.address, hashes_page(*launch.kernel, offset));
    } else if (section.type == kSectionMemory || section.type == kSectionSvsmArea || hashes) {
      hash.zero(section.address, section.size);
    } else {
      return bad_image(
          formatted("has a section of type {}, which this build does not know", section.type));
    }
  }
  if (launch.kernel && !measures_kernels) {
    return Error{Code::kUnsupported,
                 "the firmware image has no place for a kernel's hashes, so it would not measure "
                 "the kernel: use an image built for measured direct boot"};
  }
  return {};
}

}  // namespace

Sha384Digest image_digest(Bytes image) {
  LaunchHash hash;
  hash.normal(kFourGiB - image.size(), image.first(image.size() - image.size() % kPage));
  return hash.digest();
}

Result<Sha384Digest> launch_digest(Bytes image, const Launch& launch) {
  const Image parts = TRY(read_image(image));
  if (launch.processors == 0 || launch.processors > Launch::kProcessorsMax)
    return Error{Code::kInvalid,
                 formatted("a guest has 1 to {} processors", Launch::kProcessorsMax)};
  LaunchHash hash;
  hash.normal(kFourGiB - image.size(), image);
  TRY(add_sections(parts, launch, hash));
  for (uint32_t i = 0; i < launch.processors; ++i) {
    const uint32_t start = i == 0 ? kResetAddress : parts.reset_address;
    hash.page(PageType::kVmsa, kVmsaAddress, sha384(state_page(start, launch)));
  }
  return hash.digest();
}

}  // namespace casemate::verify::snp
