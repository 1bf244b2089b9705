// SPDX-License-Identifier: Apache-2.0
// SAFETY: mmap hands out memory without a type. Every range is made here, owned by exactly one
// Mapping, and unmapped by its destructor; nothing else in the tree calls mmap except the ring's
// fault handler. release() drops pages of shared mappings alone, whose content is the file's:
// private memory would turn to zeros.
#include <sys/mman.h>

#include <utility>

#include "base/check.h"
#include "base/mapping.h"

namespace casemate {

Result<Mapping> Mapping::shared(int fd, size_t size, bool writable) {
  void* data = ::mmap(nullptr, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return errno_error("mapping shared memory");
  return Mapping(static_cast<uint8_t*>(data), size, true);
}

Result<Mapping> Mapping::anonymous(size_t size) {
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return errno_error("mapping private memory");
  // Only a wish, where it is worth one: fewer faults at first, fewer misses later.
  constexpr size_t kWorthHugePages = 8 << 20;
  if (size >= kWorthHugePages) ::madvise(data, size, MADV_HUGEPAGE);
  return Mapping(static_cast<uint8_t*>(data), size, false);
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      shared_(std::exchange(other.shared_, false)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    Mapping dying(std::move(*this));
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    shared_ = std::exchange(other.shared_, false);
  }
  return *this;
}

void Mapping::release(Bytes part) const {
  if (!shared_ || part.empty()) return;
  constexpr size_t kPage = 4096;
  const auto begin = static_cast<size_t>(part.data() - data_);
  CHECK(begin <= size_ && part.size() <= size_ - begin, "what is released lies in the mapping");
  const size_t first = begin / kPage * kPage;
  // Only a wish.
  ::madvise(data_ + first, begin + part.size() - first, MADV_DONTNEED);
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace casemate
