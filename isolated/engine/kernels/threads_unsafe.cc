// SPDX-License-Identifier: Apache-2.0
// SAFETY: two functions of the OpenMP runtime are declared by hand, as OpenMP 5.0 (3.2.1, 3.2.3)
// has them, since only compilers with OpenMP switched on have the header. They read and write one
// number of the calling thread. _mm_setcsr changes how this thread's floating-point unit treats
// denormals and nothing else; pthread_create copies the register to new threads (glibc, "Notes" of
// pthread_create(3)), so the workers that the runtime starts later have it too.
#include <immintrin.h>

#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/kernels/threads.h"

extern "C" {
void omp_set_num_threads(int count);
int omp_get_max_threads(void);
}

namespace casemate::engine {

void set_threads(int count) { omp_set_num_threads(count); }

void flush_denormals() {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
}

SingleThread::SingleThread() : count_(omp_get_max_threads()) { omp_set_num_threads(1); }
SingleThread::~SingleThread() { omp_set_num_threads(count_); }

}  // namespace casemate::engine
