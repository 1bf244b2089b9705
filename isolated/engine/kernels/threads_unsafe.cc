// SPDX-License-Identifier: Apache-2.0
// SAFETY: three functions of the OpenMP runtime are declared by hand, as OpenMP 5.0 (3.2.1, 3.2.3,
// 3.2.4) has them, since only compilers with OpenMP switched on have the header. They read
// and write one number of the calling thread. GOMP_parallel is what g++ calls for "#pragma omp
// parallel" (libgomp manual, "Implementing PARALLEL construct"): it calls a function with a pointer
// on each thread of a team, that of the caller included, and returns when all have. _mm_setcsr
// changes how this thread's floating-point unit treats denormals and nothing else; pthread_create
// copies the register to new threads (glibc, "Notes" of pthread_create(3)), so the workers that the
// runtime starts later have it too.
#include <immintrin.h>

#include <algorithm>
#include <atomic>

#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/kernels/threads.h"

extern "C" {
void omp_set_num_threads(int count);
int omp_get_max_threads(void);
int omp_get_thread_num(void);
void GOMP_parallel(void (*function)(void*), void* data, unsigned thread_count, unsigned flags);
}

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

constexpr int kSharesMax = 64;

struct Loop {
  void (*work)(void*, int64_t, int);
  void* context;
  int threads;
  Share shares[kSharesMax];

  void run(int thread) {
    for (int i = 0; i < threads; ++i) {
      Share& share = shares[(thread + i) % threads];
      for (int64_t piece = 0; (piece = share.take(i == 0)) >= 0;) work(context, piece, thread);
    }
  }
};

}  // namespace

void parallel_for(int64_t pieces, void (*work)(void* context, int64_t piece, int thread),
                  void* context, int threads_max) {
  const int threads = std::min({thread_count(), threads_max, kSharesMax});
  bool alone = pieces <= 1 || threads == 1 || pieces > UINT32_MAX;
#ifdef __SANITIZE_THREAD__
  alone = true;  // it does not see how the runtime's threads wait for each other
#endif
  if (alone) {
    for (int64_t piece = 0; piece < pieces; ++piece) work(context, piece, 0);
    return;
  }
  Loop loop{.work = work, .context = context, .threads = threads, .shares = {}};
  for (int64_t i = 0; i < threads; ++i) {
    loop.shares[i].reset(static_cast<uint32_t>(pieces * i / threads),
                         static_cast<uint32_t>(pieces * (i + 1) / threads));
  }
  const auto run = [](void* data) { static_cast<Loop*>(data)->run(omp_get_thread_num()); };
  GOMP_parallel(run, &loop, static_cast<unsigned>(threads), 0);
}

void flush_denormals() {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
}

SingleThread::SingleThread() : count_(omp_get_max_threads()) { omp_set_num_threads(1); }
SingleThread::~SingleThread() { omp_set_num_threads(count_); }

}  // namespace casemate::engine
