// SPDX-License-Identifier: Apache-2.0
// SAFETY: the SIGBUS handler runs in whatever thread touched vanished memory, so it uses nothing
// but the fixed table below (lock-free atomics) and mmap, which is a bare system call. It replaces
// exactly the range that its table entry names, which this file mapped and still owns: an entry is
// cleared before its range is unmapped.
#include <sys/mman.h>
#include <ucontext.h>
#include <csignal>
#include <cstdlib>

#include <array>
#include <mutex>
#include <utility>

#include "wire/ring/guard.h"

namespace casemate {
namespace {

struct Range {
  std::atomic<uintptr_t> begin{0};  // 0: free
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> failed{false};
};

std::array<Range, GuardedMapping::kRangesMax> ranges;
std::mutex ranges_lock;  // serialises entering and leaving the table, never taken by the handler

void on_bus_error(int number, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Range& range : ranges) {
    const uintptr_t begin = range.begin.load(std::memory_order_acquire);
    const uintptr_t end = range.end.load(std::memory_order_acquire);
    if (begin == 0 || address < begin || address >= end) continue;
    void* covered = ::mmap(reinterpret_cast<void*>(begin), end - begin, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (covered == MAP_FAILED) break;
    range.failed.store(true, std::memory_order_release);
    return;
  }
  // Not ours: die of it as if there were no handler.
  ::signal(number, SIG_DFL);
}

void install_handler() {
  struct sigaction action{};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigfillset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

Result<GuardedMapping> GuardedMapping::make(int fd, size_t size, bool writable) {
  static std::once_flag once;
  std::call_once(once, install_handler);
  GuardedMapping guarded;
  guarded.mapping_ = TRY(Mapping::shared(fd, size, writable));
  const std::lock_guard lock(ranges_lock);
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].begin.load(std::memory_order_relaxed) != 0) continue;
    const auto begin = reinterpret_cast<uintptr_t>(guarded.data());
    ranges[i].failed.store(false, std::memory_order_relaxed);
    ranges[i].end.store(begin + size, std::memory_order_release);
    ranges[i].begin.store(begin, std::memory_order_release);
    guarded.entry_ = static_cast<int>(i);
    return guarded;
  }
  return Error{Code::kTooLarge, "this process already maps as many grants as it may"};
}

GuardedMapping::GuardedMapping(GuardedMapping&& other) noexcept
    : mapping_(std::move(other.mapping_)), entry_(std::exchange(other.entry_, -1)) {}

GuardedMapping& GuardedMapping::operator=(GuardedMapping&& other) noexcept {
  if (this != &other) {
    release();
    mapping_ = std::move(other.mapping_);
    entry_ = std::exchange(other.entry_, -1);
  }
  return *this;
}

GuardedMapping::~GuardedMapping() { release(); }

void GuardedMapping::release() {
  if (entry_ < 0) return;
  const std::lock_guard lock(ranges_lock);
  ranges[static_cast<size_t>(std::exchange(entry_, -1))].begin.store(0, std::memory_order_release);
}

bool GuardedMapping::failed() const {
  return entry_ >= 0 && ranges[static_cast<size_t>(entry_)].failed.load(std::memory_order_acquire);
}

}  // namespace casemate
