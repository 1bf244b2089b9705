// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/gemm_rows.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// A panel of weights that comes from memory is worth so many rows.
constexpr int64_t kPieceRows = 48;
// Fewer fill no panel, and generated code is faster.
constexpr int64_t kColumnsMin = 8;

// Packs weights, and gives back what of the file has been read as it goes: the largest layers have
// hundreds of megabytes, which would lie in memory twice. Where columns are not the rows of the
// file, each panel reads all of it.
void pack_panels(const Tensor& weights, const RowsByConstant& sizes, float* packed,
                 const gemm::InstructionSet& set) {
  const uint8_t* const from = weights.loose_bytes().data();
  const int64_t depth = sizes.depth.count();
  const bool by_columns = sizes.column_stride >= depth;
  const int64_t step = by_columns ? set.panel_columns : sizes.columns;
  for (int64_t column = 0; column < sizes.columns; column += step) {
    const int64_t count = std::min(step, sizes.columns - column);
    const auto begin = static_cast<uint64_t>(column * sizes.column_stride) * sizeof(float);
    gemm::pack(from + begin, sizes.depth, count, sizes.column_stride, packed + column * depth, set);
    const auto bytes = static_cast<uint64_t>(count * sizes.column_stride) * sizeof(float);
    if (by_columns) weights.forget(begin, bytes);
  }
}

}  // namespace

Status GemmRows::run(const KernelArguments& arguments) const {
  gemm::Product product = product_;
  product.a = elements<float>(static_cast<const uint8_t*>(arguments.inputs[0]));
  product.c = elements<float>(arguments.outputs[0]);
  if (form_.addend)
    product.epilogue.addend =
        elements<float>(static_cast<const uint8_t*>(arguments.inputs[*form_.addend]));
  const int64_t panels = gemm::panel_count(product.columns, set_);
  // What is larger is cut: then it is read once by all threads together.
  const bool by_panels = panels >= 2 * threads_ && product.columns > rows_;
  const int64_t whole = by_panels ? panels : rows_;
  const int64_t pieces = piece_count(whole, by_panels ? 1 : kPieceRows, threads_);
  parallel_for(pieces, [&](int64_t piece) {
    const int64_t begin = whole * piece / pieces;
    const int64_t end = whole * (piece + 1) / pieces;
    if (by_panels) {
      run_part(product, 0, rows_, begin, end);
    } else {
      run_part(product, begin, end, 0, panels);
    }
  });
  return {};
}

void GemmRows::run_part(const gemm::Product& product, int64_t begin, int64_t end,
                        int64_t panel_begin, int64_t panel_end) const {
  const int64_t first = panel_begin * set_.panel_columns;
  const int64_t last = std::min(panel_end * set_.panel_columns, product.columns);
  const int64_t block = gemm::block_rows(product.depth);
  for (int64_t row = begin; row < end; row += block) {
    const int64_t rows = std::min(block, end - row);
    gemm::multiply(product, row, row + rows, panel_begin, panel_end, set_);
    activate_rows(form_.activation, product.c + row * product.c_stride + first, rows, last - first,
                  product.c_stride);
  }
}

Result<std::unique_ptr<Kernel>> make_gemm_product(const KernelRequest& request,
                                                  const RowsByConstant& sizes) {
  const auto form = epilogue_of(request);
  const Tensor* const weights = request.constant(1);
  if (!form || weights == nullptr || request.constant(0) != nullptr) return nullptr;
  if (sizes.columns < kColumnsMin && !request.fixed) return nullptr;
  const gemm::InstructionSet& set = gemm::instruction_set();
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[0] = sizes.layout;
  const int64_t depth = sizes.depth.count();
  gemm::Product product{.a_stride = depth,
                        .depth = depth,
                        .columns = sizes.columns,
                        .c_stride = sizes.columns,
                        .epilogue = form->epilogue};
  if (form->row) {
    const Bytes row = TRY(request.packer.pack(*request.constant(*form->row)));
    product.epilogue.bias = elements<float>(row.data());
  }
  product.epilogue.addend_stride = sizes.columns;
  if (form->addend) needs.inputs[*form->addend] = Layout::kRowMajor;
  const auto fill = [&](MutableBytes bytes) -> Status {
    pack_panels(*weights, sizes, elements<float>(bytes.data()), set);
    return {};
  };
  const auto unpack = [sizes, &set](Bytes packed) {
    const auto count = static_cast<size_t>(sizes.depth.count() * sizes.columns);
    std::string plain(count * sizeof(float), '\0');
    gemm::unpack(elements<float>(packed.data()), sizes.depth, sizes.columns, sizes.column_stride,
                 elements<float>(static_cast<uint8_t*>(static_cast<void*>(plain.data()))), set);
    return plain;
  };
  const std::string name =
      formatted("panels for {} of {} by {}", set.name, sizes.depth.outer, sizes.column_stride);
  const auto bytes = static_cast<uint64_t>(gemm::packed_floats(depth, sizes.columns, set)) * 4;
  product.b = elements<float>(TRY(request.packer.pack(*weights, name, bytes, fill, unpack)).data());
  needs.implementation = formatted("gemm rows {}", set.name);
  return std::make_unique<GemmRows>(std::move(needs), product, sizes.rows, thread_count(), set,
                                    *form);
}

}  // namespace casemate::engine
