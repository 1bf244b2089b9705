// SPDX-License-Identifier: Apache-2.0
// SAFETY: a fiber that is killed is never run again, so its stack and all that was allocated while
// it ran may be used anew at once: nobody else holds a pointer into them, since processes talk
// through sockets and shared memory alone, and the world's own code allocates elsewhere (Outside).
// Places in memory are the same in every run, and so is the order of whatever is sorted by them.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <new>

#include "tests/simulation/machine.h"

namespace casemate::simulation {
namespace {

constexpr uintptr_t kStacks = uintptr_t{0x2100'0000'0000};
constexpr size_t kStack = 512 << 10;
constexpr uintptr_t kHeaps = uintptr_t{0x2200'0000'0000};
constexpr size_t kHeap = 64 << 20;
constexpr size_t kClasses = 32;

// The memory of one process: blocks of powers of two, those that were freed in lists.
struct Heap {
  uintptr_t begin = 0;
  uintptr_t next = 0;
  std::array<void*, kClasses> free{};
};
std::array<Heap, Machine::kProcesses> heaps;

struct alignas(16) Header {
  uint64_t size_class;
};

uint8_t* reserve(uintptr_t place, size_t size) {
  void* got = ::mmap(reinterpret_cast<void*>(place), size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == MAP_FAILED) std::abort();
  return static_cast<uint8_t*>(got);
}

void prepare(size_t slot) {
  Heap& heap = heaps[slot];
  if (heap.begin != 0) return;
  // The page below a stack is left out, so that one that grows too far does no harm unseen.
  reserve(kStacks + slot * 2 * kStack + kStack, kStack);
  heap.begin = heap.next = reinterpret_cast<uintptr_t>(reserve(kHeaps + slot * kHeap, kHeap));
}

void* allocate(size_t size) {
  const Process* process = Machine::exists() ? Machine::here().running() : nullptr;
  if (process == nullptr || process->outside != 0) return std::malloc(size);
  Heap& heap = heaps[static_cast<size_t>(process - Machine::here().processes().data())];
  const auto size_class = static_cast<size_t>(std::bit_width(size + sizeof(Header) - 1));
  if (void* block = heap.free[size_class]; block != nullptr) {
    heap.free[size_class] = *static_cast<void**>(block);
    return block;
  }
  if (heap.next + (size_t{1} << size_class) > heap.begin + kHeap) std::abort();
  auto* header = reinterpret_cast<Header*>(heap.next);
  header->size_class = size_class;
  heap.next += size_t{1} << std::max<size_t>(size_class, 5);
  return header + 1;
}

void release(void* block) {
  const auto at = reinterpret_cast<uintptr_t>(block);
  if (at < kHeaps || at >= kHeaps + Machine::kProcesses * kHeap) return std::free(block);
  Heap& heap = heaps[(at - kHeaps) / kHeap];
  const uint64_t size_class = (static_cast<Header*>(block) - 1)->size_class;
  *static_cast<void**>(block) = heap.free[size_class];
  heap.free[size_class] = block;
}

}  // namespace

// setjmp() instead of swapcontext(), which calls the kernel each time.
void enter_fiber(Fiber& from, Fiber& to) {
  if (_setjmp(from.place) != 0) return;
  if (to.begun || to.begin.uc_stack.ss_size == 0) _longjmp(to.place, 1);
  to.begun = true;
  ::setcontext(&to.begin);
}

void make_fiber(Fiber& fiber, size_t slot, void (*entry)()) {
  prepare(slot);
  ::getcontext(&fiber.begin);
  fiber.begin.uc_stack.ss_sp = reinterpret_cast<void*>(kStacks + slot * 2 * kStack + kStack);
  fiber.begin.uc_stack.ss_size = kStack;
  fiber.begin.uc_link = nullptr;
  ::makecontext(&fiber.begin, entry, 0);
}

void free_memory_of(size_t slot) {
  heaps[slot].next = heaps[slot].begin;
  heaps[slot].free = {};
}

}  // namespace casemate::simulation

void* operator new(size_t size) { return casemate::simulation::allocate(size); }
void* operator new[](size_t size) { return casemate::simulation::allocate(size); }
void operator delete(void* block) noexcept { casemate::simulation::release(block); }
void operator delete[](void* block) noexcept { casemate::simulation::release(block); }
void operator delete(void* block, size_t) noexcept { casemate::simulation::release(block); }
void operator delete[](void* block, size_t) noexcept { casemate::simulation::release(block); }
