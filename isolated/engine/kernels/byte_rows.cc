// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/byte_rows.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "isolated/engine/kernels/epilogue.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// A panel of weights that comes from memory is worth so many rows.
constexpr int64_t kPieceRows = 48;
// Rows of one round: A's part of it stays in the second-level cache.
constexpr int64_t kBlockBytes = 256 << 10;
constexpr int64_t kBlockRowsMax = 240;

int64_t block_rows(int64_t depth) {
  return std::clamp<int64_t>(kBlockBytes / std::max<int64_t>(depth, 1) / 24 * 24, 48,
                             kBlockRowsMax);
}

// The floats of some panels that were just made.
void activate(const RowProduct& product, int64_t rows, uint8_t* c, int64_t panel_begin,
              int64_t panel_end) {
  if (product.activation == Activate::kNone) return;
  const int64_t width = byte_product::instruction_set().panel_columns;
  const int64_t first = panel_begin * width;
  const int64_t last = std::min(panel_end * width, product.b.columns);
  activate_rows(product.activation, elements<float>(c) + first, rows, last - first,
                product.b.columns);
}

class ByteRows final : public Kernel {
 public:
  ByteRows(KernelNeeds needs, const RowProduct& product, ByteForm form)
      : Kernel(std::move(needs)),
        product_(product),
        form_(std::move(form)),
        threads_(thread_count()) {}

  Status run(const KernelArguments& arguments) const override {
    RowProduct product = product_;
    product.epilogue = form_.pointed();
    if (form_.addend) {
      product.epilogue.addend.bytes = arguments.inputs[*form_.addend];
      product.epilogue.addend.stride = product.b.columns;
    }
    multiply_all(product, arguments.inputs[0], form_.signs.a, arguments.outputs[0], threads_);
    return {};
  }

 private:
  RowProduct product_;
  ByteForm form_;
  int threads_;
};

}  // namespace

const int32_t* PackedBytes::sums(int64_t group, const byte_product::InstructionSet& set) const {
  return elements<int32_t>(this->group(group) + byte_product::panel_bytes(rows, columns, set));
}

Result<PackedBytes> pack_bytes(const KernelRequest& request, size_t input,
                               const byte_product::Rows& rows, int64_t groups, int64_t columns,
                               int64_t column_stride, byte_product::Signs signs) {
  const Tensor* const constant = request.constant(input);
  if (constant == nullptr) return Error{Code::kUnsupported, "its weights are computed"};
  if (constant->count() != static_cast<uint64_t>(groups * columns * rows.count()))
    return Error{Code::kInvalid, "its weights do not fit its data"};
  const byte_product::InstructionSet& set = byte_product::instruction_set();
  constexpr int64_t kAlign = 64;
  const int64_t bytes =
      (byte_product::packed_bytes(rows, columns, set) + kAlign - 1) / kAlign * kAlign;
  const int64_t apart = columns * rows.count();
  const auto fill = [&](MutableBytes packed) -> Status {
    const uint8_t* const from = constant->loose_bytes().data();
    for (int64_t group = 0; group < groups; ++group) {
      byte_product::pack(from + group * apart, rows, columns, column_stride, signs,
                         packed.data() + group * bytes, set);
    }
    return {};
  };
  const auto unpack = [=, &set](Bytes packed) {
    std::string plain(static_cast<size_t>(groups * apart), '\0');
    auto* const to = static_cast<uint8_t*>(static_cast<void*>(plain.data()));
    for (int64_t group = 0; group < groups; ++group) {
      byte_product::unpack(packed.data() + group * bytes, rows, columns, column_stride, signs,
                           to + group * apart, set);
    }
    return plain;
  };
  const std::string form =
      formatted("bytes for {} {}{} in {} groups of {} pieces of {} by {}, {} apart", set.name,
                signs.a, signs.b, groups, rows.pieces, rows.outer, rows.inner, column_stride);
  const Bytes packed = TRY(
      request.packer.pack(*constant, form, static_cast<uint64_t>(groups * bytes), fill, unpack));
  return PackedBytes{rows, columns, packed.data(), bytes};
}

void multiply_rows(const RowProduct& product, const uint8_t* a, bool a_signed, uint8_t* c,
                   int64_t begin, int64_t end, int64_t panel_begin, int64_t panel_end) {
  const byte_product::InstructionSet& set = byte_product::instruction_set();
  const int64_t block = block_rows(product.depth);
  const auto size = static_cast<int64_t>(product.result_bytes);
  const int64_t c_stride = product.b.columns * size;
  constexpr int64_t kNoOffset = 0;
  std::array<int32_t, kBlockRowsMax> sums;
  for (int64_t row = begin; row < end; row += block) {
    byte_product::Panel part{.a = a + row * product.depth,
                             .a_stride = product.depth,
                             .rows = std::min(block, end - row),
                             .depth = product.depth,
                             .offsets = &kNoOffset,
                             .pieces = 1,
                             .b = nullptr,
                             .c = nullptr,
                             .c_stride = c_stride,
                             .columns = 0,
                             .epilogue = {}};
    if (product.epilogue.b_zeros != nullptr) set.sum_rows[a_signed](part, sums.data());
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int64_t column = panel * set.panel_columns;
      part.b = product.b.bytes + byte_product::panel_offset(product.b.rows, panel, set);
      part.c = c + row * c_stride + column * size;
      part.columns = std::min(product.b.columns - column, set.panel_columns);
      part.epilogue = byte_product::from_column(product.epilogue, column);
      if (part.epilogue.b_zeros != nullptr) part.epilogue.row_sums = sums.data();
      if (part.epilogue.addend.bytes != nullptr)
        part.epilogue.addend.bytes += row * part.epilogue.addend.stride;
      if (part.epilogue.floats != nullptr)
        part.epilogue.floats += row * part.epilogue.floats_stride;
      set.multiply[a_signed](part);
    }
    activate(product, part.rows, c + row * c_stride, panel_begin, panel_end);
  }
}

void multiply_all(const RowProduct& product, const uint8_t* a, bool a_signed, uint8_t* c,
                  int threads) {
  const int64_t panels =
      byte_product::panel_count(product.b.columns, byte_product::instruction_set());
  // What is larger is cut: then it is read once by all threads together.
  const bool by_panels = panels >= 2 * threads && product.b.columns > product.rows;
  const int64_t whole = by_panels ? panels : product.rows;
  const int64_t pieces = piece_count(whole, by_panels ? 1 : kPieceRows, threads);
  parallel_for(pieces, [&](int64_t piece) {
    const int64_t begin = whole * piece / pieces;
    const int64_t end = whole * (piece + 1) / pieces;
    if (by_panels) {
      multiply_rows(product, a, a_signed, c, 0, product.rows, begin, end);
    } else {
      multiply_rows(product, a, a_signed, c, begin, end, 0, panels);
    }
  });
}

KernelResult make_byte_rows(KernelNeeds needs, RowProduct product, ByteForm form) {
  const byte_product::InstructionSet& set = byte_product::instruction_set();
  compensate(form, product.b.sums(0, set), product.depth);
  needs.implementation = formatted("bytes rows {}", set.name);
  return std::make_unique<ByteRows>(std::move(needs), product, std::move(form));
}

}  // namespace casemate::engine
