// SPDX-License-Identifier: Apache-2.0
// SAFETY: oneDNN is compiled for an OpenMP runtime. The seven functions that it calls of one are
// defined here, with their names and types as OpenMP 5.0 (3.2.1 to 3.2.6) and libgomp's manual
// ("Implementing PARALLEL construct", "Implementing BARRIER construct") have them; the dynamic
// linker takes a program's own functions before those of a library, so that libgomp is never
// called. Then its loops and ours run on one team of threads. They do what those sections ask for
// and touch nothing but variables of this file; nested regions have one thread, as OpenMP's default
// is. _mm_setcsr changes how this thread's floating-point unit treats denormals and nothing else;
// pthread_create copies the register to new threads (glibc, "Notes" of pthread_create(3)), so those
// of the team have it too.
#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "isolated/engine/threads/team.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// What one call of GOMP_parallel runs on each of its threads.
struct Region {
  void (*function)(void*);
  void* data;
  int threads;
  std::atomic<int> arrived = 0;        // at the barrier
  std::atomic<uint32_t> barriers = 0;  // that all have passed
};

struct Place {
  Region* region = nullptr;  // the innermost; none: outside of all
  int thread = 0;
  bool active = false;  // one of those around it has more than one thread
};

thread_local Place place;
thread_local int threads_wanted = 0;  // 0: as many as there are cores

int wanted() {
  if (place.active) return 1;  // a region inside would have one
  if (threads_wanted == 0)
    threads_wanted = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
  return threads_wanted;
}

void enter(Region& region, int thread) {
  const Place outside = place;
  place = {&region, thread, outside.active || region.threads > 1};
  region.function(region.data);
  place = outside;
}

void enter_region(void* region, int thread) { enter(*static_cast<Region*>(region), thread); }

void parallel(void (*function)(void*), void* data, int threads) {
  Region region{.function = function, .data = data, .threads = threads};
  if (threads == 1) return enter(region, 0);
  Team::instance().wait_and_run(enter_region, &region, threads);
}

void barrier(Region& region) {
  const uint32_t passed = region.barriers.load(std::memory_order_acquire);
  if (region.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == region.threads) {
    region.arrived.store(0, std::memory_order_relaxed);
    region.barriers.store(passed + 1, std::memory_order_release);
    return;
  }
  Backoff backoff;
  while (region.barriers.load(std::memory_order_acquire) == passed) backoff.wait();
}

}  // namespace
}  // namespace casemate::engine

extern "C" {

void omp_set_num_threads(int count) { casemate::engine::threads_wanted = std::max(count, 1); }
int omp_get_max_threads(void) { return casemate::engine::wanted(); }
int omp_get_thread_num(void) { return casemate::engine::place.thread; }
int omp_get_num_threads(void) {
  const auto* const region = casemate::engine::place.region;
  return region == nullptr ? 1 : region->threads;
}
int omp_in_parallel(void) { return casemate::engine::place.active ? 1 : 0; }

void GOMP_parallel(void (*function)(void*), void* data, unsigned thread_count, unsigned) {
  const int threads = thread_count == 0 ? omp_get_max_threads() : static_cast<int>(thread_count);
  casemate::engine::parallel(function, data, omp_in_parallel() != 0 ? 1 : threads);
}

void GOMP_barrier(void) {
  auto* const region = casemate::engine::place.region;
  if (region != nullptr && region->threads > 1) casemate::engine::barrier(*region);
}

}  // extern "C"

namespace casemate::engine {

void set_threads(int count) { omp_set_num_threads(count); }

int thread_count() { return omp_get_max_threads(); }

int64_t piece_count(int64_t whole, int64_t least, int threads) {
  if (threads == 1) return 1;
  constexpr int64_t kForEach = 4;
  const int64_t most = std::max<int64_t>(whole / std::max<int64_t>(least, 1), 1);
  // At least one for each, where there is so much to do at all.
  return std::clamp<int64_t>(most, std::min<int64_t>(threads, std::max<int64_t>(whole, 1)),
                             kForEach * threads);
}

namespace {

// The pieces that one thread begins with: it takes them from the front, and who has nothing left
// from the back. Both ends are one number, so that a piece is taken once.
struct alignas(64) Share {
  std::atomic<uint64_t> ends =
      0;  // the first in the upper half, the one behind the last in the lower

  void reset(uint32_t begin, uint32_t end) {
    ends.store(uint64_t{begin} << 32 | end, std::memory_order_relaxed);
  }
  // -1 when there is none left.
  int64_t take(bool front) {
    uint64_t now = ends.load(std::memory_order_relaxed);
    for (;;) {
      const auto begin = static_cast<uint32_t>(now >> 32);
      const auto end = static_cast<uint32_t>(now);
      if (begin >= end) return -1;
      const uint64_t left = front ? now + (uint64_t{1} << 32) : now - 1;
      if (ends.compare_exchange_weak(now, left, std::memory_order_relaxed))
        return front ? begin : end - 1;
    }
  }
};

struct Loop {
  void (*work)(void*, int64_t, int);
  void* context;
  int threads;
  Share* shares;

  void run() {
    const int thread = place.thread;
    for (int i = 0; i < threads; ++i) {
      Share& share = shares[(thread + i) % threads];
      for (int64_t piece = 0; (piece = share.take(i == 0)) >= 0;) work(context, piece, thread);
    }
  }
};

}  // namespace

void parallel_for(int64_t pieces, void (*work)(void* context, int64_t piece, int thread),
                  void* context, int threads_max) {
  const int threads = std::min(thread_count(), threads_max);
  const auto alone = [&] {
    for (int64_t piece = 0; piece < pieces; ++piece) work(context, piece, 0);
  };
  if (pieces <= 1 || threads <= 1 || pieces > UINT32_MAX || omp_in_parallel() != 0) return alone();
  thread_local std::vector<Share> shares;
  if (shares.size() < static_cast<size_t>(threads)) shares = std::vector<Share>(threads);
  Loop loop{.work = work, .context = context, .threads = threads, .shares = shares.data()};
  for (int64_t i = 0; i < threads; ++i) {
    shares[static_cast<size_t>(i)].reset(static_cast<uint32_t>(pieces * i / threads),
                                         static_cast<uint32_t>(pieces * (i + 1) / threads));
  }
  const auto run = [](void* data) { static_cast<Loop*>(data)->run(); };
  Region region{.function = run, .data = &loop, .threads = threads};
  if (!Team::instance().run(enter_region, &region, threads, Team::Who::kWhoComes)) alone();
}

void flush_denormals() {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
}

SingleThread::SingleThread() : count_(omp_get_max_threads()) { omp_set_num_threads(1); }
SingleThread::~SingleThread() { omp_set_num_threads(count_); }

}  // namespace casemate::engine
