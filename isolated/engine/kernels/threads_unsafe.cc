// SPDX-License-Identifier: Apache-2.0
// SAFETY: functions of the OpenMP runtime are declared by hand, as OpenMP 5.0 (3.2.1 to 3.2.4) and
// libgomp's ABI ("Implementing PARALLEL construct") have them, since only compilers with OpenMP
// switched on have the header. All but GOMP_parallel read and write one number of the calling
// thread; that one calls its argument with the argument behind it on threads of the runtime, and
// returns when all have come back. _mm_setcsr changes how this thread's floating-point unit treats
// denormals and nothing else; pthread_create copies the register to new threads (glibc, "Notes" of
// pthread_create(3)), so the workers that the runtime starts later have it too.
#include <immintrin.h>

#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/kernels/threads.h"

extern "C" {
void omp_set_num_threads(int count);
int omp_get_max_threads(void);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
void GOMP_parallel(void (*body)(void* data), void* data, unsigned threads, unsigned flags);
}

namespace casemate::engine {

void set_threads(int count) { omp_set_num_threads(count); }

int thread_count() { return omp_get_max_threads(); }

void run_parallel(int count, void (*body)(void* data, int i), void* data) {
  if (count == 1) return body(data, 0);
  struct Team {
    int count;
    void (*body)(void* data, int i);
    void* data;
  } team{count, body, data};
  // The runtime may give fewer threads than were asked for: then each takes several turns.
  const auto turns = [](void* shared) {
    const auto& all = *static_cast<const Team*>(shared);
    for (int i = omp_get_thread_num(); i < all.count; i += omp_get_num_threads())
      all.body(all.data, i);
  };
  GOMP_parallel(turns, &team, static_cast<unsigned>(count), 0);
}

void flush_denormals() {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
}

SingleThread::SingleThread() : count_(omp_get_max_threads()) { omp_set_num_threads(1); }
SingleThread::~SingleThread() { omp_set_num_threads(count_); }

}  // namespace casemate::engine
