// SPDX-License-Identifier: Apache-2.0
// SAFETY: the store is the only owner of [base_, base_ + reserved_) and of the memfd mapped there.
// The range is reserved once and never moves, so MAP_FIXED replaces nothing but our own pages. All
// pieces lie below backed_, which never shrinks while the store is writable, so no write can meet
// SIGBUS. After seal() the writable mapping is gone, which F_SEAL_WRITE itself enforces: the kernel
// refuses the seal while one exists.
#include <fcntl.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/format.h"
#include "base/memory_file.h"
#include "isolated/tensors/tensors.h"

namespace casemate::tensors {
namespace {

constexpr uint64_t round_up(uint64_t size, uint64_t step) {
  return (size + step - 1) / step * step;
}

// Linux 6.1; older headers do not know it.
constexpr int kCollapse = 25;

// Backs [begin, end) with huge pages, one after another: a page that holds a byte is made into one,
// whatever is set for shared memory. Weights are read a third faster from them, and written several
// times faster. Where the kernel will not, small pages come as they are touched.
void back_with_huge_pages(uint8_t* begin, const uint8_t* end) {
  for (uint8_t* page = begin; page < end; page += WeightStore::kHugePage) {
    *page = 0;
    if (::madvise(page, WeightStore::kHugePage, kCollapse) != 0) return;
  }
}

// 1 TiB: no model of today is larger, and four such stores fit in the 47-bit address space.
constexpr uint64_t kReservedMax = 1ull << 40;

}  // namespace

Result<WeightStore> WeightStore::make(uint64_t bytes_max) {
  if (bytes_max > kReservedMax) {
    return Error{Code::kTooLarge,
                 formatted("a weight store of {} bytes was asked for, the most is {}: set a lower "
                           "memory limit",
                           bytes_max, kReservedMax)};
  }
  const uint64_t reserved = round_up(std::max<uint64_t>(bytes_max, 1), kHugePage);
  Fd fd = TRY(make_memory_file("casemate-weights"));
  // A huge page more than needed, so that a start on a huge page boundary is inside.
  void* raw = ::mmap(nullptr, reserved + kHugePage, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return errno_error("reserving addresses for weights");
  auto* const first = static_cast<uint8_t*>(raw);
  const auto address = std::bit_cast<uintptr_t>(first);
  const uint64_t head = round_up(address, kHugePage) - address;
  uint8_t* const base = first + head;
  if (head > 0) ::munmap(first, head);
  if (head < kHugePage) ::munmap(base + reserved, kHugePage - head);

  void* mapped =
      ::mmap(base, reserved, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd.number(), 0);
  if (mapped == MAP_FAILED) {
    Error error = errno_error("mapping weights");
    ::munmap(base, reserved);
    return error;
  }
  // Only a wish: where huge pages are off for shared memory, small ones do.
  ::madvise(base, reserved, MADV_HUGEPAGE);
  return WeightStore(std::move(fd), base, reserved, bytes_max);
}

WeightStore::WeightStore(WeightStore&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      reserved_(std::exchange(other.reserved_, 0)),
      bytes_max_(std::exchange(other.bytes_max_, 0)),
      backed_(std::exchange(other.backed_, 0)),
      used_(std::exchange(other.used_, 0)),
      sealed_(std::exchange(other.sealed_, false)) {}

WeightStore& WeightStore::operator=(WeightStore&& other) noexcept {
  if (this != &other) {
    WeightStore dying(std::move(*this));
    fd_ = std::move(other.fd_);
    base_ = std::exchange(other.base_, nullptr);
    reserved_ = std::exchange(other.reserved_, 0);
    bytes_max_ = std::exchange(other.bytes_max_, 0);
    backed_ = std::exchange(other.backed_, 0);
    used_ = std::exchange(other.used_, 0);
    sealed_ = std::exchange(other.sealed_, false);
  }
  return *this;
}

WeightStore::~WeightStore() {
  if (base_ != nullptr) ::munmap(base_, reserved_);
}

Result<MutableBytes> WeightStore::allocate(uint64_t size) {
  CHECK(!sealed_ && base_ != nullptr, "weights are packed before the store is sealed");
  if (size > bytes_max_ || round_up(size, kAlignment) > bytes_max_ - used_) {
    return Error{
        Code::kTooLarge,
        formatted("weights need {} bytes more, and {} of {} are used: allow the model more memory",
                  size, used_, bytes_max_)};
  }
  const uint64_t end = used_ + round_up(size, kAlignment);
  if (end > backed_) {
    const uint64_t backed = round_up(end, kHugePage);
    if (::ftruncate(fd_.number(), static_cast<off_t>(backed)) != 0) {
      return errno_error("growing the weights");
    }
    // A small store would waste most of its only huge page.
    if (backed > kHugePage) back_with_huge_pages(base_ + backed_, base_ + backed);
    backed_ = backed;
  }
  const MutableBytes piece(base_ + used_, size);
  used_ = end;
  return piece;
}

Status WeightStore::seal() {
  CHECK(!sealed_ && base_ != nullptr, "a store is sealed once");
  // What is not used would be zeros that cost memory.
  const uint64_t kept = round_up(used_, 4096);
  if (::ftruncate(fd_.number(), static_cast<off_t>(kept)) != 0)
    return errno_error("trimming weights");
  backed_ = kept;
  // F_SEAL_WRITE is refused while a writable shared mapping exists. Replacing the range, rather
  // than unmapping it, keeps the addresses ours in between.
  if (::mmap(base_, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
             -1, 0) == MAP_FAILED) {
    return errno_error("taking back the writable weights");
  }
  sealed_ = true;
  if (::fcntl(fd_.number(), F_ADD_SEALS,
              F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return errno_error("sealing weights");
  }
  // The mapping keeps the memory; a process with many stores would run out of descriptors.
  const Fd sealed = std::move(fd_);
  if (kept == 0) return {};
  void* mapped = ::mmap(base_, kept, PROT_READ, MAP_SHARED | MAP_FIXED, sealed.number(), 0);
  // Before Linux 6.7 a sealed memfd cannot be mapped shared even for reading. A private mapping
  // without write permission shows the same physical pages.
  if (mapped == MAP_FAILED) {
    mapped = ::mmap(base_, kept, PROT_READ, MAP_PRIVATE | MAP_FIXED, sealed.number(), 0);
  }
  if (mapped == MAP_FAILED) return errno_error("mapping sealed weights");
  ::madvise(base_, kept, MADV_HUGEPAGE);
  return {};
}

}  // namespace casemate::tensors
