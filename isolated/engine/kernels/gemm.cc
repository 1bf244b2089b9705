// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/gemm.h"

#include <algorithm>
#include <cstring>

#include "isolated/engine/kernels/gemm_sets.h"

namespace casemate::engine::gemm {
namespace {

constexpr int64_t kBlockBytes = 384 << 10;

// The depth in passes of about one length: a panel of B, 64 columns of it, then takes a quarter of
// a second-level cache of 1 MiB; the rows of A another.
int64_t pass_depth(int64_t depth) {
  const int64_t passes = (depth + kPassDepth - 1) / kPassDepth;
  return passes == 0 ? 0 : (depth + passes - 1) / passes;
}

}  // namespace

InstructionSets instruction_sets() {
  InstructionSets sets{};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 =
      avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  if (avx512) sets.list[sets.count++] = &kAvx512;
  if (avx2) sets.list[sets.count++] = &kAvx2;
#endif
  sets.list[sets.count++] = &kBaseline;
  return sets;
}

const InstructionSet& instruction_set() {
  static const InstructionSet* const best = instruction_sets().list[0];
  return *best;
}

int64_t panel_count(int64_t columns, const InstructionSet& set) {
  return (columns + set.panel_columns - 1) / set.panel_columns;
}

namespace {

// Columns of a panel as packed: whole vectors.
int64_t packed_columns(int64_t panel, int64_t columns, const InstructionSet& set) {
  const int64_t left = std::min(columns - panel * set.panel_columns, set.panel_columns);
  return (left + set.vector_floats - 1) / set.vector_floats * set.vector_floats;
}

}  // namespace

int64_t packed_floats(int64_t depth, int64_t columns, const InstructionSet& set) {
  return depth * ((columns + set.vector_floats - 1) / set.vector_floats * set.vector_floats);
}

namespace {

// Visits the elements of B in the order in which they are packed, as far as their cache lines
// allow: element(where in B, where in packed), and padding(where in packed).
template <class Element, class Padding>
void walk(const Rows& rows, int64_t columns, int64_t column_stride, const InstructionSet& set,
          Element element, Padding padding) {
  // Where rows lie closer together than columns, a few of each column are taken in turn: what is
  // written stays in the first-level cache, and what is read comes in whole lines.
  const int64_t step = rows.inner_stride < column_stride ? 16 : 1;
  int64_t at = 0;
  for (int64_t panel = 0; panel < panel_count(columns, set); ++panel) {
    const int64_t first = panel * set.panel_columns;
    const int64_t width = packed_columns(panel, columns, set);
    const int64_t real = std::min(columns - first, width);
    for (int64_t outer = 0; outer < rows.outer; ++outer) {
      for (int64_t begin = 0; begin < rows.inner; begin += step) {
        const int64_t count = std::min(step, rows.inner - begin);
        const int64_t from =
            outer * rows.outer_stride + begin * rows.inner_stride + first * column_stride;
        for (int64_t n = 0; n < real; ++n) {
          for (int64_t k = 0; k < count; ++k)
            element(from + n * column_stride + k * rows.inner_stride, at + k * width + n);
        }
        for (int64_t n = real; n < width; ++n) {
          for (int64_t k = 0; k < count; ++k) padding(at + k * width + n);
        }
        at += count * width;
      }
    }
  }
}

}  // namespace

void pack(const uint8_t* b, const Rows& rows, int64_t columns, int64_t column_stride, float* packed,
          const InstructionSet& set) {
  walk(
      rows, columns, column_stride, set,
      [=](int64_t from, int64_t to) { std::memcpy(packed + to, b + from * 4, 4); },
      [=](int64_t to) { packed[to] = 0; });
}

void unpack(const float* packed, const Rows& rows, int64_t columns, int64_t column_stride, float* b,
            const InstructionSet& set) {
  walk(
      rows, columns, column_stride, set, [=](int64_t to, int64_t from) { b[to] = packed[from]; },
      [](int64_t) {});
}

int64_t block_rows(int64_t depth) {
  const int64_t row_bytes = std::max<int64_t>(pass_depth(depth), 1) * 4;
  return std::clamp<int64_t>(kBlockBytes / row_bytes / 24 * 24, 48, 240);
}

void multiply(const Product& product, int64_t row_begin, int64_t row_end, int64_t panel_begin,
              int64_t panel_end, const InstructionSet& set) {
  const int64_t step = std::max<int64_t>(pass_depth(product.depth), 1);
  const int64_t block = block_rows(product.depth);
  const Epilogue& e = product.epilogue;
  constexpr int64_t kNoOffset = 0;
  for (int64_t row = row_begin; row < row_end; row += block) {
    const int64_t rows = std::min(block, row_end - row);
    for (int64_t k = 0; k == 0 || k < product.depth; k += step) {
      const int64_t depth = std::min(step, product.depth - k);
      for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
        const int64_t column = panel * set.panel_columns;
        const int64_t width = packed_columns(panel, product.columns, set);
        Epilogue at = e;
        if (at.bias != nullptr) at.bias += column;
        if (at.addend != nullptr) at.addend += row * e.addend_stride + column;
        // The next panel, or the first of the next pass.
        const bool more = panel + 1 < panel_end;
        const int64_t next = more ? column + set.panel_columns : panel_begin * set.panel_columns;
        const int64_t next_k = more ? k : k + depth;
        const int64_t next_depth = std::min(step, product.depth - next_k);
        const int64_t next_width =
            packed_columns(more ? panel + 1 : panel_begin, product.columns, set);
        set.multiply({.a = product.a + row * product.a_stride + k,
                      .a_stride = product.a_stride,
                      .rows = rows,
                      .depth = depth,
                      .offsets = &kNoOffset,
                      .pieces = 1,
                      .b = product.b + product.depth * column + k * width,
                      .c = product.c + row * product.c_stride + column,
                      .c_stride = product.c_stride,
                      .columns = std::min(product.columns - column, set.panel_columns),
                      .accumulate = k > 0,
                      .last = k + depth == product.depth,
                      .epilogue = at,
                      .next = product.b + product.depth * next + next_k * next_width,
                      .next_bytes = next_depth * next_width * 4});
      }
    }
  }
}

}  // namespace casemate::engine::gemm
