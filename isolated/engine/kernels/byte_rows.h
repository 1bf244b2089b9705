// SPDX-License-Identifier: Apache-2.0
#pragma once
// A product of all rows of an input of bytes with packed constants: a fully connected layer, or a
// convolution of single pixels.

#include "isolated/engine/kernels/byte_form.h"
#include "isolated/engine/kernels/vector_loops.h"

namespace casemate::engine {

// Constants of a product as byte_product.h packs them, for each group.
struct PackedBytes {
  byte_product::Rows rows;
  int64_t columns;  // of a group
  const uint8_t* bytes;
  int64_t group_bytes;

  [[nodiscard]] const uint8_t* group(int64_t group) const { return bytes + group * group_bytes; }
  // The sums of a group's columns.
  [[nodiscard]] const int32_t* sums(int64_t group, const byte_product::InstructionSet& set) const;
};

// Packs the constant at that input: groups of `columns` columns, which lie `column_stride` bytes
// apart, one group behind the other.
Result<PackedBytes> pack_bytes(const KernelRequest& request, size_t input,
                               const byte_product::Rows& rows, int64_t groups, int64_t columns,
                               int64_t column_stride, byte_product::Signs signs);

// What a product of rows takes that is known when it is made.
struct RowProduct {
  int64_t rows;
  int64_t depth;  // and from row to row of A
  PackedBytes b;
  byte_product::Epilogue epilogue;
  Activate activation = Activate::kNone;  // of floats
  uint64_t result_bytes;                  // of one element
};

// Rows [begin, end) of some panels.
void multiply_rows(const RowProduct& product, const uint8_t* a, bool a_signed, uint8_t* c,
                   int64_t begin, int64_t end, int64_t panel_begin, int64_t panel_end);
// All rows, on all threads.
void multiply_all(const RowProduct& product, const uint8_t* a, bool a_signed, uint8_t* c,
                  int threads);

// The kernel of a product of rows by constants: `needs` without its name.
KernelResult make_byte_rows(KernelNeeds needs, RowProduct product, ByteForm form);

}  // namespace casemate::engine
