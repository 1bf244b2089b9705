// SPDX-License-Identifier: Apache-2.0
// SAFETY: an allocator over one memfd_secret mapping, handed to libcrypto as its malloc. Every
// block has a 16-byte header with its size and never leaves the mapping; freed blocks are cleared
// before they are linked, so a key lives no longer than its owner. Small sizes have lists of their
// own, larger ones share one list in address order whose neighbours are joined. libcrypto may
// allocate from several threads, hence the lock.
#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/crypto.h"

namespace casemate {
namespace {

struct Block {
  size_t size;  // of the whole block, header included; a multiple of 16
  Block* next;  // in a free list; unused while allocated
};
static_assert(sizeof(Block) == 16);

constexpr size_t kSmallMax = 1024;

struct Heap {
  std::mutex lock;
  uint8_t* begin = nullptr;
  uint8_t* end = nullptr;
  std::array<Block*, kSmallMax / 16 + 1> small{};  // by size / 16
  Block* large = nullptr;                          // in address order
  SecretHeap facts;

  bool holds(const void* memory) const { return memory >= begin && memory < end; }
};

Heap& heap() {
  static Heap* instance = new Heap;  // outlives libcrypto's own exit handlers
  return *instance;
}

uint8_t* bytes(Block* block) { return reinterpret_cast<uint8_t*>(block); }

Block* cut_from_large(Heap& h, size_t need) {
  Block** link = &h.large;
  while (*link != nullptr && (*link)->size < need) link = &(*link)->next;
  Block* block = *link;
  if (block == nullptr) return nullptr;
  if (block->size - need >= 2 * sizeof(Block)) {
    auto* rest = reinterpret_cast<Block*>(bytes(block) + need);
    rest->size = block->size - need;
    rest->next = block->next;
    block->size = need;
    *link = rest;
  } else {
    *link = block->next;
  }
  return block;
}

void join(Block* first) {
  if (first->next != nullptr && bytes(first->next) == bytes(first) + first->size) {
    first->size += first->next->size;
    first->next = first->next->next;
  }
}

void return_to_large(Heap& h, Block* block) {
  Block* before = nullptr;
  Block* after = h.large;
  while (after != nullptr && after < block) {
    before = after;
    after = after->next;
  }
  block->next = after;
  (before == nullptr ? h.large : before->next) = block;
  join(block);
  if (before != nullptr) join(before);
}

void* heap_malloc(size_t size, const char*, int) {
  if (size == 0 || size > SIZE_MAX / 2) return nullptr;
  const size_t need = (size + sizeof(Block) + 15) & ~size_t{15};
  Heap& h = heap();
  const std::lock_guard guard(h.lock);
  Block* block = nullptr;
  if (need <= kSmallMax && h.small[need / 16] != nullptr) {
    block = h.small[need / 16];
    h.small[need / 16] = block->next;
  } else {
    block = cut_from_large(h, need);
  }
  if (block == nullptr) {
    ++h.facts.spilled;
    return std::malloc(size);
  }
  h.facts.used += block->size;
  return block + 1;
}

void heap_free(void* memory, const char*, int) {
  if (memory == nullptr) return;
  Heap& h = heap();
  if (!h.holds(memory)) return std::free(memory);
  Block* block = static_cast<Block*>(memory) - 1;
  OPENSSL_cleanse(memory, block->size - sizeof(Block));
  const std::lock_guard guard(h.lock);
  h.facts.used -= block->size;
  if (block->size <= kSmallMax) {
    block->next = h.small[block->size / 16];
    h.small[block->size / 16] = block;
  } else {
    return_to_large(h, block);
  }
}

void* heap_realloc(void* memory, size_t size, const char* file, int line) {
  if (memory == nullptr) return heap_malloc(size, file, line);
  if (size == 0) {
    heap_free(memory, file, line);
    return nullptr;
  }
  if (!heap().holds(memory)) return std::realloc(memory, size);
  const size_t held = (static_cast<Block*>(memory) - 1)->size - sizeof(Block);
  if (size <= held) return memory;
  void* grown = heap_malloc(size, file, line);
  if (grown == nullptr) return nullptr;
  std::memcpy(grown, memory, held);
  heap_free(memory, file, line);
  return grown;
}

// memfd_secret pages are locked pages, and only root may lock more than the limit says.
size_t lockable(size_t size) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 0;
  return std::min<size_t>(size, limit.rlim_cur) & ~size_t{4095};
}

uint8_t* map_secret(size_t size) {
  const int fd = static_cast<int>(::syscall(SYS_memfd_secret, 0));
  if (fd < 0) return nullptr;
  void* memory = MAP_FAILED;
  if (::ftruncate(fd, static_cast<off_t>(size)) == 0) {
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  ::close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<uint8_t*>(memory);
}

}  // namespace

SecretHeap use_secret_heap(size_t size) {
  Heap& h = heap();
  size = lockable(size);
  uint8_t* memory = size < 64 << 10 ? nullptr : map_secret(size);
  if (memory != nullptr) {
    h.begin = memory;
    h.end = memory + size;
    h.large = reinterpret_cast<Block*>(memory);
    h.large->size = size;
    h.large->next = nullptr;
    if (CRYPTO_set_mem_functions(heap_malloc, heap_realloc, heap_free) == 1) {
      h.facts.size = size;
    } else {
      h.begin = h.end = nullptr;
      h.large = nullptr;
      ::munmap(memory, size);
    }
  }
  // Once is for ever: whatever asks for the configuration later finds it done.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  return secret_heap();
}

bool own_secret_heap() {
  const Heap& h = heap();
  const auto size = static_cast<size_t>(h.end - h.begin);
  if (size == 0) return true;
  uint8_t* copy = map_secret(size);
  if (copy == nullptr) return false;
  std::memcpy(copy, h.begin, size);
  return ::mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, h.begin) == h.begin;
}

SecretHeap secret_heap() {
  const std::lock_guard guard(heap().lock);
  return heap().facts;
}

}  // namespace casemate
