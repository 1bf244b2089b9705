// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/byte_product.h"

#include <algorithm>
#include <cstring>

#include "isolated/engine/kernels/byte_product_sets.h"

namespace casemate::engine::byte_product {

InstructionSets instruction_sets() {
  InstructionSets sets{};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 =
      avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  if (avx512 && __builtin_cpu_supports("avx512vnni") != 0) sets.list[sets.count++] = &kAvx512Vnni;
  if (avx512) sets.list[sets.count++] = &kAvx512;
  if (avx2 && __builtin_cpu_supports("avxvnni") != 0) sets.list[sets.count++] = &kAvxVnni;
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

int64_t panel_offset(const Rows& rows, int64_t panel, const InstructionSet& set) {
  return rows.packed() * panel * set.panel_columns;
}

int64_t panel_bytes(const Rows& rows, int64_t columns, const InstructionSet& set) {
  const int64_t whole = (columns + set.vector_columns - 1) / set.vector_columns;
  return rows.packed() * whole * set.vector_columns;
}

int64_t packed_bytes(const Rows& rows, int64_t columns, const InstructionSet& set) {
  return panel_bytes(rows, columns, set) + columns * 4;
}

Epilogue from_column(Epilogue epilogue, int64_t column) {
  epilogue.bias += column;
  if (epilogue.b_zeros != nullptr) epilogue.b_zeros += column;
  if (epilogue.scales != nullptr) epilogue.scales += column;
  if (epilogue.shift != nullptr) epilogue.shift += column;
  if (epilogue.floats != nullptr) epilogue.floats += column;
  if (epilogue.addend.bytes != nullptr) epilogue.addend.bytes += column;
  return epilogue;
}

namespace {

// Where a panel lies in B and as packed.
struct PanelPlace {
  int64_t first, real, width;  // columns: of B, there and with what fills up the last vector
  int64_t at;
};
PanelPlace place_of(const Rows& rows, int64_t columns, int64_t panel, const InstructionSet& set) {
  const int64_t first = panel * set.panel_columns;
  const int64_t real = std::min(columns - first, set.panel_columns);
  const int64_t width = (real + set.vector_columns - 1) / set.vector_columns * set.vector_columns;
  return {first, real, width, panel_offset(rows, panel, set)};
}

// Visits the pieces of the columns: piece(column, where in B, where its first group is packed, from
// group to group).
template <class Piece>
void walk(const Rows& rows, int64_t columns, int64_t column_stride, const InstructionSet& set,
          Piece piece) {
  const int64_t groups = (rows.depth() + 3) / 4;
  for (int64_t panel = 0; panel < panel_count(columns, set); ++panel) {
    const PanelPlace place = place_of(rows, columns, panel, set);
    for (int64_t i = 0; i < rows.pieces; ++i) {
      for (int64_t n = 0; n < place.real; ++n) {
        piece(place.first + n, (place.first + n) * column_stride + i * rows.piece_stride,
              place.at + i * groups * place.width * 4 + n * 4, place.width * 4);
      }
    }
  }
}

// Calls element(where in B, k) for the bytes of a piece, in the order of the depth.
template <class Element>
void each(const Rows& rows, int64_t from, Element element) {
  int64_t k = 0;
  for (int64_t outer = 0; outer < rows.outer; ++outer, from += rows.outer_stride) {
    for (int64_t inner = 0; inner < rows.inner; ++inner, ++k)
      element(from + inner * rows.inner_stride, k);
  }
}

}  // namespace

void pack(const uint8_t* b, const Rows& rows, int64_t columns, int64_t column_stride, Signs signs,
          uint8_t* packed, const InstructionSet& set) {
  const int64_t bytes = panel_bytes(rows, columns, set);
  std::memset(packed, 0, static_cast<size_t>(packed_bytes(rows, columns, set)));
  auto* const sums = static_cast<uint32_t*>(static_cast<void*>(packed + bytes));
  const uint32_t flip = signs.moved() ? 0x80 : 0;
  // As unsigned bytes first: signed ones are 256 less where their highest bit is set.
  const bool made_signed = !signs.a;
  walk(rows, columns, column_stride, set,
       [=, &rows](int64_t column, int64_t from, int64_t to, int64_t step) {
         uint32_t word = 0;
         uint32_t sum = 0;
         each(rows, from, [&](int64_t at, int64_t k) {
           const uint32_t byte = b[at] ^ flip;
           sum += byte - (made_signed ? (byte & 0x80) << 1 : 0);
           word |= byte << (8 * (k % 4));
           if (k % 4 != 3) return;
           std::memcpy(packed + to + k / 4 * step, &word, 4);
           word = 0;
         });
         if (const int64_t depth = rows.depth(); depth % 4 != 0)
           std::memcpy(packed + to + depth / 4 * step, &word, 4);
         sums[column] += sum;
       });
}

void unpack(const uint8_t* packed, const Rows& rows, int64_t columns, int64_t column_stride,
            Signs signs, uint8_t* b, const InstructionSet& set) {
  const auto flip = static_cast<uint8_t>(signs.moved() ? 0x80 : 0);
  walk(rows, columns, column_stride, set,
       [=, &rows](int64_t, int64_t from, int64_t to, int64_t step) {
         each(rows, from, [&](int64_t at, int64_t k) {
           b[at] = static_cast<uint8_t>(packed[to + k / 4 * step + k % 4] ^ flip);
         });
       });
}

}  // namespace casemate::engine::byte_product
