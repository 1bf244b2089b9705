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

void parallel_for(int64_t pieces, void (*work)(void* context, int64_t piece, int thread),
                  void* context, int threads_max) {
  struct Loop {
    int64_t pieces;
    void (*work)(void*, int64_t, int);
    void* context;
    std::atomic<int64_t> next = 0;
  };
  Loop loop{pieces, work, context};
  const auto run = [](void* data) {
    Loop& shared = *static_cast<Loop*>(data);
    const int thread = omp_get_thread_num();
    for (;;) {
      const int64_t piece = shared.next.fetch_add(1, std::memory_order_relaxed);
      if (piece >= shared.pieces) return;
      shared.work(shared.context, piece, thread);
    }
  };
  const int threads = std::min(thread_count(), threads_max);
#ifdef __SANITIZE_THREAD__
  return run(&loop);  // it does not see how the runtime's threads wait for each other
#endif
  if (pieces <= 1 || threads == 1) return run(&loop);
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
