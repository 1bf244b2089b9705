// SPDX-License-Identifier: Apache-2.0
// SAFETY: an access is done exactly as it was asked for. Shared memory lies in a part of the
// address space of its own, so one comparison tells it; what is read there may vanish, which the
// product's own handler of SIGBUS mends.
//
// What the compiler calls before each access to memory in the code that is simulated (it is built
// as for ThreadSanitizer, whose runtime this takes the place of), and the calls that map memory,
// copy it, and wait for it.
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstring>

#include "tests/simulation/machine.h"

namespace casemate::simulation {
namespace {

constexpr uintptr_t kShared = uintptr_t{0x2000'0000'0000};
constexpr size_t kSharedSize = size_t{1} << 36;
constexpr size_t kPage = 4096;

struct Range {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  uint64_t file = 0;  // the same number in every run
  ProcessId owner = 0;
  bool covered = false;  // by private pages, since its own have vanished
};
std::vector<Range> ranges;  // ascending
std::vector<ino_t> files;   // in the order in which they were first mapped
uintptr_t next_place = kShared;

bool shared(const volatile void* address) {
  return reinterpret_cast<uintptr_t>(address) - kShared < kSharedSize;
}

Range* range_of(const volatile void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  auto above = std::ranges::upper_bound(ranges, at, {}, &Range::begin);
  if (above == ranges.begin()) return nullptr;
  Range& range = *--above;
  return at < range.end ? &range : nullptr;
}

uint64_t word_of(const void* address) {
  const Range* range = range_of(address);
  if (range == nullptr || range->covered) return reinterpret_cast<uintptr_t>(address);
  return range->file << 20 ^ (reinterpret_cast<uintptr_t>(address) - range->begin);
}

void access(const volatile void* address, const char* what) {
  if (!shared(address) || !Machine::exists()) [[likely]]
    return;
  Machine& machine = Machine::here();
  if (machine.running() == nullptr || machine.running()->outside != 0) return;
  if (Machine::tracing) {
    const Range* range = range_of(address);
    const auto offset = range == nullptr ? 0 : reinterpret_cast<uintptr_t>(address) - range->begin;
    machine.trace("{} file {} + {}", what, range == nullptr ? 0 : range->file, offset);
  }
  machine.point();
}

}  // namespace

void forget_memory() {
  for (const Range& range : ranges)
    ::munmap(reinterpret_cast<void*>(range.begin), range.end - range.begin);
  ranges.clear();
  files.clear();
  next_place = kShared;
}

}  // namespace casemate::simulation

using namespace casemate::simulation;

extern "C" {

void* __real_mmap(void*, size_t, int, int, int, off_t);
int __real_munmap(void*, size_t);
void* __real_memcpy(void*, const void*, size_t);
void* __real_memmove(void*, const void*, size_t);
long __real_syscall(long, ...);

void* __wrap_mmap(void* place, size_t size, int protection, int flags, int fd, off_t offset) {
  if (!Machine::exists()) return __real_mmap(place, size, protection, flags, fd, offset);
  const Outside outside;
  if ((flags & MAP_SHARED) == 0 || fd < 0) {
    if (Range* range = shared(place) ? range_of(place) : nullptr) {
      Machine::here().trace("file {} has vanished under it", range->file);
      range->covered = true;
    }
    return __real_mmap(place, size, protection, flags, fd, offset);
  }
  struct stat facts{};
  ::fstat(fd, &facts);
  void* got = __real_mmap(reinterpret_cast<void*>(next_place), size, protection,
                          flags | MAP_FIXED_NOREPLACE, fd, offset);
  if (got == MAP_FAILED) return got;
  if (!std::ranges::contains(files, facts.st_ino)) files.push_back(facts.st_ino);
  const auto file = static_cast<uint64_t>(std::ranges::find(files, facts.st_ino) - files.begin());
  ranges.push_back({next_place, next_place + size, file, Machine::here().owner(), false});
  next_place += (size + 2 * kPage - 1) / kPage * kPage;
  return got;
}

int __wrap_munmap(void* place, size_t size) {
  const Outside outside;
  std::erase_if(ranges,
                [&](const Range& r) { return r.begin == reinterpret_cast<uintptr_t>(place); });
  return __real_munmap(place, size);
}

static bool copies_shared(const void* a, const void* b) {
  return Machine::exists() && Machine::here().running() != nullptr && (shared(a) || shared(b));
}

// A copy is many accesses.
void* __wrap_memcpy(void* to, const void* from, size_t size) {
  if (!copies_shared(to, from)) return __real_memcpy(to, from, size);
  const size_t step = size_t{64} << (size / 2048);
  for (size_t at = 0; at < size; at += std::min(step, size - at)) {
    access(static_cast<const uint8_t*>(shared(to) ? to : from) + at, "copies");
    __real_memcpy(static_cast<uint8_t*>(to) + at, static_cast<const uint8_t*>(from) + at,
                  std::min(step, size - at));
  }
  return to;
}

void* __wrap_memmove(void* to, const void* from, size_t size) {
  if (!copies_shared(to, from)) return __real_memmove(to, from, size);
  return __wrap_memcpy(to, from, size);
}

// The kernel compares, and then the process waits here.
static long wait_for_word(uint32_t* word, uint32_t value, const timespec* timeout) {
  Machine& machine = Machine::here();
  machine.point();
  // Compares as FUTEX_WAIT does, and moves nobody.
  if (__real_syscall(SYS_futex, word, FUTEX_CMP_REQUEUE, 0, 0, word, value) != 0) return -1;
  const auto patience =
      timeout == nullptr ? casemate::Instant::max()
                         : machine.now() + seconds(timeout->tv_sec) + nanoseconds(timeout->tv_nsec);
  machine.running()->word = word_of(word);
  machine.trace("sleeps while the word is {}", value);
  machine.wait(Wait::kWord, patience);
  return 0;
}

long __wrap_syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (!Machine::exists()) return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  Machine& machine = Machine::here();
  if (number == SYS_futex) {
    auto* word = reinterpret_cast<uint32_t*>(a[0]);
    if ((a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && machine.running() != nullptr)
      return wait_for_word(word, static_cast<uint32_t>(a[2]), reinterpret_cast<timespec*>(a[3]));
    machine.point();
    machine.trace("wakes");
    machine.wake(word_of(word));
    return 0;
  }
  if (number == SYS_pidfd_send_signal) {
    machine.kill(machine.process_named(static_cast<int>(a[0])));
    return 0;
  }
  return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* address, size_t) { access(address, "reads"); }
void __tsan_write_range(void* address, size_t) { access(address, "writes"); }
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}

#define ACCESS(size)                                                            \
  void __tsan_read##size(void* address) { access(address, "reads"); }           \
  void __tsan_write##size(void* address) { access(address, "writes"); }         \
  void __tsan_unaligned_read##size(void* address) { access(address, "reads"); } \
  void __tsan_unaligned_write##size(void* address) { access(address, "writes"); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

#define EXCHANGES(bits, T, name, builtin)                             \
  T __tsan_atomic##bits##_##name(volatile T* address, T value, int) { \
    access(address, "exchanges");                                     \
    return builtin(address, value, __ATOMIC_SEQ_CST);                 \
  }
#define ATOMICS(bits, T)                                                                       \
  T __tsan_atomic##bits##_load(const volatile T* address, int) {                               \
    access(address, "loads");                                                                  \
    return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                         \
  }                                                                                            \
  void __tsan_atomic##bits##_store(volatile T* address, T value, int) {                        \
    access(address, "stores");                                                                 \
    __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                            \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* address, T* expected, T value, \
                                                    int, int) {                                \
    access(address, "exchanges");                                                              \
    return __atomic_compare_exchange_n(address, expected, value, false, __ATOMIC_SEQ_CST,      \
                                       __ATOMIC_SEQ_CST);                                      \
  }                                                                                            \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* address, T* expected, T value,   \
                                                  int success, int failure) {                  \
    return __tsan_atomic##bits##_compare_exchange_strong(address, expected, value, success,    \
                                                         failure);                             \
  }                                                                                            \
  EXCHANGES(bits, T, exchange, __atomic_exchange_n)                                            \
  EXCHANGES(bits, T, fetch_add, __atomic_fetch_add)                                            \
  EXCHANGES(bits, T, fetch_sub, __atomic_fetch_sub)                                            \
  EXCHANGES(bits, T, fetch_and, __atomic_fetch_and)                                            \
  EXCHANGES(bits, T, fetch_or, __atomic_fetch_or)                                              \
  EXCHANGES(bits, T, fetch_xor, __atomic_fetch_xor)
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

}  // extern "C"

void casemate::simulation::unmap_all_of(ProcessId id) {
  std::vector<Range> theirs;
  std::ranges::copy_if(ranges, std::back_inserter(theirs),
                       [&](const Range& r) { return r.owner == id; });
  for (const Range& range : theirs) {
    forget_guards(range.begin, range.end);
    __wrap_munmap(reinterpret_cast<void*>(range.begin), range.end - range.begin);
  }
}
