// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/ceiling.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/mapping.h"
#include "isolated/engine/kernels/gemm.h"
#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::inspect {
namespace {

using Clock = std::chrono::steady_clock;

#if defined(__x86_64__)
namespace avx512 {
#define CASEMATE_TARGET __attribute__((target("avx512f")))
constexpr int kFloats = 16;
#include "isolated/inspect/ceiling_loops.inc"
#undef CASEMATE_TARGET
}  // namespace avx512
namespace avx2 {
#define CASEMATE_TARGET __attribute__((target("avx2,fma")))
constexpr int kFloats = 8;
#include "isolated/inspect/ceiling_loops.inc"
#undef CASEMATE_TARGET
}  // namespace avx2
#endif
namespace baseline {
#define CASEMATE_TARGET
constexpr int kFloats = 4;
#include "isolated/inspect/ceiling_loops.inc"
#undef CASEMATE_TARGET
}  // namespace baseline

struct Loops {
  int64_t (*multiply_add)(int64_t rounds);
  void (*read_all)(const float* from, int64_t count);
};

// For the instruction set that kernels use.
Loops loops() {
#if defined(__x86_64__)
  if (engine::gemm::instruction_set().vector_floats == avx512::kFloats)
    return {avx512::multiply_add, avx512::read_all};
  if (engine::gemm::instruction_set().vector_floats == avx2::kFloats)
    return {avx2::multiply_add, avx2::read_all};
#endif
  return {baseline::multiply_add, baseline::read_all};
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The most that any turn reached: what others take from the machine meanwhile is no ceiling. Short
// turns and many of them, so that one is undisturbed.
template <class Turn>
double best_of(double seconds, Turn turn) {
  const auto begin = Clock::now();
  double best = turn();
  for (int i = 1; i < 5 || seconds_since(begin) < seconds; ++i) best = std::max(best, turn());
  return best;
}

double measure_flops(int threads, const Loops& of) {
  constexpr int64_t kRounds = 20'000;  // about 0.05 ms
  const int64_t pieces = 25 * static_cast<int64_t>(threads);
  return best_of(0.4, [&] {
    std::atomic<int64_t> done = 0;
    const auto begin = Clock::now();
    engine::parallel_for(pieces, [&](int64_t) { done += of.multiply_add(kRounds); });
    return 2 * static_cast<double>(done) / seconds_since(begin);
  });
}

Result<double> measure_reads(const Loops& of) {
  constexpr int64_t kBytes = 256 << 20;  // beyond the last caches of today
  constexpr int64_t kPiece = 1 << 20;
  const Mapping memory = TRY(Mapping::anonymous(kBytes));
  const auto* const floats = static_cast<const float*>(static_cast<const void*>(memory.data()));
  // Touched by those who read it: pages that nobody wrote are all one page of zeros.
  engine::parallel_for(kBytes / kPiece, [&](int64_t piece) {
    std::fill_n(memory.data() + piece * kPiece, kPiece, uint8_t{1});
  });
  return best_of(0.3, [&] {
    const auto begin = Clock::now();
    engine::parallel_for(kBytes / kPiece, [&](int64_t piece) {
      of.read_all(floats + piece * kPiece / 4, kPiece / 4);
    });
    return static_cast<double>(kBytes) / seconds_since(begin);
  });
}

}  // namespace

Result<Ceiling> measure_ceiling(int threads) {
  engine::set_threads(threads);
  const Loops of = loops();
  Ceiling ceiling{.instruction_set = engine::gemm::instruction_set().name};
  ceiling.flops_per_s = measure_flops(threads, of);
  ceiling.bytes_per_s = TRY(measure_reads(of));
  return ceiling;
}

}  // namespace casemate::inspect
