// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/vector_loops.h"

namespace casemate::engine {

std::vector<const VectorLoops*> all_vector_loops() {
  std::vector<const VectorLoops*> loops;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    loops.push_back(&kAvx512Loops);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) loops.push_back(&kAvx2Loops);
  loops.push_back(&kBaselineLoops);
  return loops;
}

const VectorLoops& vector_loops() {
  static const VectorLoops* const fastest = all_vector_loops().front();
  return *fastest;
}

}  // namespace casemate::engine
