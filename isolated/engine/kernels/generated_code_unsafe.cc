// SPDX-License-Identifier: Apache-2.0
// SAFETY: this program's mprotect and munmap are these two instead of libc's, for all libraries
// that it loads: they make the same system calls and besides keep a list. The list holds what is
// mapped writable and executable just now, so sealing touches nothing that was given back and is
// used for something else. libc's own allocator does not come by here and maps nothing executable.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <mutex>

#include "isolated/engine/kernels/generated_code.h"

namespace casemate::engine {
namespace {

struct Range {
  uintptr_t begin = 0;
  uintptr_t end = 0;
};

// One for each kernel, of which a model has some hundred.
std::array<Range, 16384> ranges;
size_t count = 0;
bool overflowed = false;
std::mutex lock;

}  // namespace

Status seal_generated_code() {
  const std::lock_guard guard(lock);
  if (overflowed) return Error{Code::kTooLarge, "the model needs too many kernels"};
  for (size_t i = 0; i < count; ++i) {
    if (::syscall(SYS_mprotect, ranges[i].begin, ranges[i].end - ranges[i].begin,
                  PROT_READ | PROT_EXEC) != 0)
      return errno_error("taking the right to write from generated code");
  }
  count = 0;
  return {};
}

}  // namespace casemate::engine

// Sanitizers stand in for them already.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace casemate::engine {
namespace {

void remember(uintptr_t begin, uintptr_t end) {
  if (begin >= end) return;
  if (count == ranges.size()) {
    overflowed = true;
  } else {
    ranges[count++] = {begin, end};
  }
}

// What lies before and behind stays.
void forget(uintptr_t begin, uintptr_t end) {
  for (size_t i = 0; i < count;) {
    const Range range = ranges[i];
    if (range.begin >= end || begin >= range.end) {
      ++i;
      continue;
    }
    ranges[i] = ranges[--count];
    if (range.begin < begin) remember(range.begin, begin);
    if (end < range.end) remember(end, range.end);
  }
}

bool writable_code(int protection) {
  return (protection & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC);
}

}  // namespace
}  // namespace casemate::engine

extern "C" {

// Both hold the lock over the call: what one gives back another may be given at once.
int mprotect(void* address, size_t size, int protection) noexcept {
  using namespace casemate::engine;
  const auto begin = reinterpret_cast<uintptr_t>(address);
  const std::lock_guard guard(lock);
  const auto done = static_cast<int>(::syscall(SYS_mprotect, address, size, protection));
  if (done == 0) forget(begin, begin + size);
  if (done == 0 && writable_code(protection)) remember(begin, begin + size);
  return done;
}

int munmap(void* address, size_t size) noexcept {
  using namespace casemate::engine;
  const auto begin = reinterpret_cast<uintptr_t>(address);
  const std::lock_guard guard(lock);
  const auto done = static_cast<int>(::syscall(SYS_munmap, address, size));
  if (done == 0) forget(begin, begin + size);
  return done;
}

}  // extern "C"
#endif
