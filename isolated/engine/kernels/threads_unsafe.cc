// SPDX-License-Identifier: Apache-2.0
// SAFETY: four functions of the OpenMP runtime are declared by hand, as OpenMP 5.0 (3.2.1, 3.2.2,
// 3.2.3, 3.2.4) has them, since only compilers with OpenMP switched on have the header. They read
// and write one number of the calling thread. GOMP_parallel is what g++ calls for "#pragma omp
// parallel" (libgomp manual, "Implementing PARALLEL construct"): it calls a function with a pointer
// on each thread of a team, that of the caller included, and returns when all have. _mm_setcsr
// changes how this thread's floating-point unit treats denormals and nothing else; pthread_create
// copies the register to new threads (glibc, "Notes" of pthread_create(3)), so the workers that the
// runtime starts later have it too.
#include <immintrin.h>

#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/kernels/threads.h"

extern "C" {
void omp_set_num_threads(int count);
int omp_get_max_threads(void);
int omp_get_num_threads(void);
int omp_get_thread_num(void);
void GOMP_parallel(void (*function)(void*), void* data, unsigned thread_count, unsigned flags);
}

namespace casemate::engine {

void set_threads(int count) { omp_set_num_threads(count); }

int thread_count() { return omp_get_max_threads(); }

void parallel_for(int64_t pieces, void (*work)(void* context, int64_t piece), void* context) {
  struct Loop {
    int64_t pieces;
    void (*work)(void*, int64_t);
    void* context;
  };
  Loop loop{pieces, work, context};
  if (pieces <= 1 || thread_count() == 1) {
    for (int64_t piece = 0; piece < pieces; ++piece) work(context, piece);
    return;
  }
  const auto run = [](void* data) {
    const Loop& shared = *static_cast<const Loop*>(data);
    for (int64_t piece = omp_get_thread_num(); piece < shared.pieces;
         piece += omp_get_num_threads())
      shared.work(shared.context, piece);
  };
  GOMP_parallel(run, &loop, 0, 0);
}

void flush_denormals() {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
}

SingleThread::SingleThread() : count_(omp_get_max_threads()) { omp_set_num_threads(1); }
SingleThread::~SingleThread() { omp_set_num_threads(count_); }

}  // namespace casemate::engine
