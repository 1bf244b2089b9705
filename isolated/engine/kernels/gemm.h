// SPDX-License-Identifier: Apache-2.0
#pragma once
// Matrix products of our own, compiled ahead of time for several instruction sets: C = A B, with
// what follows it done while the result is in registers. A is read in rows, B is packed into
// panels.
//
// The inner loop holds a tile of C in registers: rows x up to kPanelVectors vectors. It stands
// at 98 % of the processor's arithmetic where A and a panel of B come from the second-level cache,
// which the blocking below sees to (Goto and van de Geijn 2008).
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    callers give sizes that fit the memory: nothing is checked here.
//   Fails    never.

#include <cstdint>

namespace casemate::engine::gemm {

// What is done to a tile of C before it is stored: + bias, + addend, times slope, and clamped.
struct Epilogue {
  const float* bias = nullptr;    // one per column
  const float* addend = nullptr;  // as C
  int64_t addend_stride = 0;
  float low = 0;
  float high = 0;
  float slope = 0;  // what values below 0 are multiplied by, before they are clamped
  bool leaky = false;
  bool clamped = false;
};

// A part of C: rows times the columns of one panel, over a part of the depth. What lies behind a
// row of A comes in pieces of one length: one piece for a matrix, several for the window of a
// convolution, which are then rows of an image.
struct Panel {
  const float* a;
  int64_t a_stride;
  int64_t rows;
  int64_t depth;           // of a piece
  const int64_t* offsets;  // of each piece of the first row, from `a`
  int64_t pieces;
  const float* b;  // packed: the pieces' depths behind one another
  float* c;
  int64_t c_stride;
  int64_t columns;    // at most panel_columns()
  bool accumulate;    // adds to what C holds
  bool last;          // the epilogue follows
  Epilogue epilogue;  // its pointers are at the panel's first column
  // What is multiplied by next: fetched into the second-level cache meanwhile.
  const float* next = nullptr;
  int64_t next_bytes = 0;
};

// Where a tile of a convolution's result goes; see winograd.h.
struct OutputTile {
  float* to;
  int64_t line_stride;
  int64_t pixel_stride;
  int64_t lines;  // of the tile that lie inside the image
  int64_t columns;
  Epilogue epilogue;  // its addend is at `to`, with the same stride
};

// Winograd's transforms for tiles of one size.
struct Transforms {
  // Pixels [size + 2, size + 2, channels] to as many planes.
  void (*input)(const float* pixels, int64_t line_stride, int64_t channels, float* to,
                int64_t plane_stride);
  // Planes to size x size pixels.
  void (*output)(const float* from, int64_t plane_stride, int64_t outputs, const OutputTile& tile);
};

// The functions for one instruction set.
struct InstructionSet {
  const char* name;
  int64_t vector_floats;
  int64_t panel_columns;
  void (*multiply)(const Panel& panel);
  Transforms of_two;   // tiles of 2 x 2
  Transforms of_four;  // tiles of 4 x 4
};

// The best that this processor has.
const InstructionSet& instruction_set();
// All that this processor has, the best first: for tests.
struct InstructionSets {
  const InstructionSet* list[3];
  int count;
};
InstructionSets instruction_sets();

// Floats that a packed matrix [depth, columns] takes.
int64_t packed_floats(int64_t depth, int64_t columns, const InstructionSet& set);
// The rows of B in the order in which A has them: `outer` times `inner` of them, so many floats
// apart. A plain matrix has one outer row.
struct Rows {
  int64_t outer, outer_stride;
  int64_t inner, inner_stride;
  [[nodiscard]] int64_t count() const { return outer * inner; }
};
// Packs B, whose columns lie `column_stride` floats apart; its floats need no alignment.
void pack(const uint8_t* b, const Rows& rows, int64_t columns, int64_t column_stride, float* packed,
          const InstructionSet& set);
// Back again: B as it was, where its elements are all that lies there.
void unpack(const float* packed, const Rows& rows, int64_t columns, int64_t column_stride, float* b,
            const InstructionSet& set);
inline void pack(const float* b, int64_t depth, int64_t columns, int64_t depth_stride,
                 int64_t column_stride, float* packed, const InstructionSet& set) {
  pack(static_cast<const uint8_t*>(static_cast<const void*>(b)), {1, 0, depth, depth_stride},
       columns, column_stride, packed, set);
}

// A product of which B is packed. The part of it that is made: these rows, those panels.
struct Product {
  const float* a;
  int64_t a_stride;
  int64_t depth;
  const float* b;
  int64_t columns;
  float* c;
  int64_t c_stride;
  Epilogue epilogue;
};

// The most depth at which each result is stored once, when it is finished.
inline constexpr int64_t kPassDepth = 1024;
// Rows that one round of the blocking takes: A's part stays in the second-level cache.
int64_t block_rows(int64_t depth);
int64_t panel_count(int64_t columns, const InstructionSet& set);
void multiply(const Product& product, int64_t row_begin, int64_t row_end, int64_t panel_begin,
              int64_t panel_end, const InstructionSet& set);

}  // namespace casemate::engine::gemm
