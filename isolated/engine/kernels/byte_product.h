// SPDX-License-Identifier: Apache-2.0
#pragma once
// Matrix products of bytes, summed exactly in 32 bits: C = A B, as gemm.h does it for floats. A is
// read in rows, B is packed into panels: four bytes of the depth lie side by side in each column.
//
// One operand of the processor's instruction is unsigned, the other signed. A may be either, where
// it lies; B is packed as the other one, shifted by 128 if it was not. Zero points are not taken
// off the bytes but off the sums:
//
//   sum (a - za)(b - zb) = sum a b - za sum b - zb sum a + depth za zb
//
// where the sums of B's columns are known when it is packed, and those of A's rows are taken only
// where zb is not 0. All of it wraps at 2^32, as the sum itself does.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    callers give sizes that fit the memory: nothing is checked here.
//   Fails    never.

#include <cstdint>

namespace casemate::engine::byte_product {

enum class Store : uint8_t { kInt32, kFloat, kUint8, kInt8 };

// A second value, of bytes, that is added to a result of bytes: both are made real, added, and
// made bytes again.
struct Addend {
  const uint8_t* bytes = nullptr;  // as C; none: nothing is added
  int64_t stride = 0;
  bool is_signed = false;
  // The result so far is made a byte first, in [low, high] from its own zero point on.
  float low = 0;
  float high = 0;
  float own_scale = 0;    // by which the result so far is multiplied
  float other_scale = 0;  // and the addend
  float shift = 0;        // what is added for the addend's zero point
};

// What is done to a tile of C before it is stored.
struct Epilogue {
  const int32_t* bias = nullptr;      // one per column: what does not depend on the row
  const int32_t* row_sums = nullptr;  // one per row; times
  const int32_t* b_zeros = nullptr;   // one per column, is taken off
  const float* scales = nullptr;      // one per column; not for kInt32
  Store store = Store::kInt32;
  // kUint8, kInt8: clamped to [low, high], rounded, the even one of two, and moved by zero.
  // kFloat: clamped where it says so.
  float low = 0;
  float high = 0;
  int32_t zero = 0;
  bool clamped = false;
  Addend addend = {};
  // kFloat: what is added, one per column, and as C.
  const float* shift = nullptr;
  const float* floats = nullptr;
  int64_t floats_stride = 0;
};

// A part of C: rows times the columns of one panel. What lies behind a row of A comes in pieces,
// as in gemm.h; each piece is packed to whole groups of four.
struct Panel {
  const uint8_t* a;
  int64_t a_stride;
  int64_t rows;
  int64_t depth;           // of a piece
  const int64_t* offsets;  // of each piece of the first row, from `a`
  int64_t pieces;
  const uint8_t* b;
  uint8_t* c;
  int64_t c_stride;  // bytes
  int64_t columns;   // at most panel_columns
  Epilogue epilogue;
};

// One line of a depth-wise convolution of unsigned bytes with signed weights, channels last, to
// bytes. Requires: as many channels as depthwise_channels, or more; windows 3 or 5 wide, in steps
// of 1 or 2.
struct DepthwiseLine {
  // Lines of the image with what is around it, four for each group of lines of the window: each
  // [columns, channels]. Those behind the window's last are any, their weights are 0.
  const uint8_t* const* lines;
  int64_t groups;
  const uint8_t* weights;  // as pack_depthwise() orders them, and so are
  const int32_t* bias;     // one per channel
  const float* scales;
  uint8_t* out;  // [out_width, channels]
  int64_t channels;
  int64_t out_width;
  int64_t kernel_w;
  int64_t stride;
  float low;  // as in Epilogue
  float high;
  int32_t zero;
};

// How a float is told in a byte: clamped to [low, high] in steps of the scale, and moved by zero.
struct Quantisation {
  float scale;
  float low, high;
  int32_t zero;
  bool is_signed;
};

// A sum of bytes made real: a times a_scale, plus b times b_scale, plus shift, in steps of the
// result's scale; then as in Quantisation.
struct ByteSum {
  float a_scale, b_scale, shift;
  float low, high;
  int32_t zero;
  bool a_signed, b_signed;
};

// The functions for one instruction set.
struct InstructionSet {
  const char* name;
  int64_t vector_columns;
  int64_t panel_columns;
  // By whether A is signed.
  void (*multiply[2])(const Panel& panel);
  // The sum of each row of A's bytes.
  void (*sum_rows[2])(const Panel& panel, int32_t* sums);
  int64_t depthwise_channels;  // that are taken at once
  void (*depthwise)(const DepthwiseLine& line);
  void (*quantise)(const Quantisation& q, const float* x, uint8_t* y, int64_t count);
  void (*dequantise)(const Quantisation& q, const uint8_t* x, float* y, int64_t count);
  // The least and the largest of the floats and 0.
  void (*range)(const float* x, int64_t count, float* low, float* high);
  void (*add)(const ByteSum& s, const uint8_t* a, const uint8_t* b, uint8_t* y, int64_t count);
  // The largest of some pixels, and the sum of them, for each of their channels.
  void (*maximum)(const uint8_t* const* pixels, int64_t count, bool is_signed, uint8_t* y,
                  int64_t channels);
  void (*average)(const ByteSum& s, const uint8_t* const* pixels, int64_t count, uint8_t* y,
                  int64_t channels);
};

// The best that this processor has.
const InstructionSet& instruction_set();
// All that this processor has, the best first: for tests.
struct InstructionSets {
  const InstructionSet* list[5];
  int count;
};
InstructionSets instruction_sets();

// The rows of B in the order in which A has them: in each piece `outer` times `inner` of them, so
// many bytes apart.
struct Rows {
  int64_t pieces, piece_stride;
  int64_t outer, outer_stride;
  int64_t inner, inner_stride;
  [[nodiscard]] int64_t depth() const { return outer * inner; }  // of a piece
  [[nodiscard]] int64_t count() const { return pieces * depth(); }
  // Bytes of a column when packed.
  [[nodiscard]] int64_t packed() const { return pieces * ((depth() + 3) / 4 * 4); }
};
// A matrix whose rows are so many bytes apart.
inline Rows plain_rows(int64_t depth, int64_t stride) { return {1, 0, 1, 0, depth, stride}; }

// Bytes of a packed matrix, without and with the sums of its columns, one int32 each, behind it.
int64_t panel_bytes(const Rows& rows, int64_t columns, const InstructionSet& set);
int64_t packed_bytes(const Rows& rows, int64_t columns, const InstructionSet& set);
// Which operands are signed. B is packed as the other kind than A: moved by `shift()` if it is not.
struct Signs {
  bool a, b;
  [[nodiscard]] bool moved() const { return a == b; }
  [[nodiscard]] int32_t shift() const { return !moved() ? 0 : a ? 128 : -128; }
};
// Packs B, whose columns lie `column_stride` bytes apart; the sums are of what was packed.
void pack(const uint8_t* b, const Rows& rows, int64_t columns, int64_t column_stride, Signs signs,
          uint8_t* packed, const InstructionSet& set);
// Back again.
void unpack(const uint8_t* packed, const Rows& rows, int64_t columns, int64_t column_stride,
            Signs signs, uint8_t* b, const InstructionSet& set);

int64_t panel_count(int64_t columns, const InstructionSet& set);
// Where a panel begins in a packed matrix.
int64_t panel_offset(const Rows& rows, int64_t panel, const InstructionSet& set);
// The epilogue of the columns from `column` on.
Epilogue from_column(Epilogue epilogue, int64_t column);

}  // namespace casemate::engine::byte_product
