// SPDX-License-Identifier: Apache-2.0
// Reordering images between row-major and channels-last by a loop of our own, for plans that may
// not generate code; and bringing their pixels together and apart.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Rows and columns of what is turned at a time: two such blocks lie in the first-level cache.
constexpr int64_t kBlock = 32;

// What is worth a thread.
constexpr int64_t kPieceFloats = 16 << 10;

// to[j, i] = from[i, j] for a part of the columns.
template <class T>
void turn(const T* from, T* to, int64_t rows, int64_t columns, int64_t begin, int64_t end) {
  for (int64_t i0 = 0; i0 < rows; i0 += kBlock) {
    const int64_t i1 = std::min(i0 + kBlock, rows);
    for (int64_t j = begin; j < end; ++j) {
      for (int64_t i = i0; i < i1; ++i) to[j * rows + i] = from[i * columns + j];
    }
  }
}

template <class T>
KernelResult turning(KernelNeeds needs, int64_t images, int64_t each, int64_t rows) {
  const int64_t columns = each / rows;
  const int64_t blocks = (columns + kBlock - 1) / kBlock;
  return loop_kernel(std::move(needs), [=](const KernelArguments& arguments) {
    const auto* source = elements<T>(static_cast<const uint8_t*>(arguments.inputs[0]));
    auto* target = elements<T>(arguments.outputs[0]);
    const int64_t whole = images * blocks;
    const int64_t pieces = piece_count(whole, 8, thread_count());
    parallel_for(pieces, [&](int64_t piece) {
      for (int64_t b = whole * piece / pieces; b < whole * (piece + 1) / pieces; ++b) {
        const int64_t at = b / blocks * each;
        const int64_t begin = b % blocks * kBlock;
        turn(source + at, target + at, rows, columns, begin, std::min(begin + kBlock, columns));
      }
    });
  });
}

}  // namespace

KernelResult make_pitched_copy(const Shape& shape, int64_t from, int64_t to) {
  const int64_t channels = shape[1];
  const int64_t pixels =
      static_cast<int64_t>(TRY(shape.element_count())) / std::max<int64_t>(channels, 1);
  const int64_t source_pitch = from == 0 ? channels : from;
  const int64_t target_pitch = to == 0 ? channels : to;
  KernelNeeds needs{.inputs = {Layout::kChannelsLast}, .outputs = {Layout::kChannelsLast}};
  needs.reads_pitched = needs.writes_pitched = true;
  return loop_kernel(std::move(needs), [=](const KernelArguments& arguments) {
    const auto* source = elements<float>(static_cast<const uint8_t*>(arguments.inputs[0]));
    auto* target = elements<float>(arguments.outputs[0]);
    const int64_t pieces =
        piece_count(pixels, kPieceFloats / std::max<int64_t>(channels, 1) + 1, thread_count());
    parallel_for(pieces, [&](int64_t piece) {
      for (int64_t i = pixels * piece / pieces; i < pixels * (piece + 1) / pieces; ++i)
        std::copy_n(source + i * source_pitch, channels, target + i * target_pitch);
    });
  });
}

KernelResult make_fixed_reorder(ElementType type, const Shape& shape, Layout from, Layout to) {
  const bool plain = (from == Layout::kRowMajor && to == Layout::kChannelsLast) ||
                     (from == Layout::kChannelsLast && to == Layout::kRowMajor);
  const size_t size = size_of(type);
  if (!plain || (size != sizeof(float) && size != 1)) {
    return Error{Code::kUnsupported, formatted("reordering {} from {} to {} needs generated code",
                                               shape.text(), name_of(from), name_of(to))};
  }
  const int64_t images = shape[0];
  const auto each = static_cast<int64_t>(TRY(shape.element_count())) / std::max<int64_t>(images, 1);
  const int64_t channels = std::max<int64_t>(shape[1], 1);
  const int64_t rows =
      std::max<int64_t>(from == Layout::kChannelsLast ? each / channels : channels, 1);
  KernelNeeds needs{.inputs = {from}, .outputs = {to}};
  if (size == 1) return turning<uint8_t>(std::move(needs), images, each, rows);
  return turning<float>(std::move(needs), images, each, rows);
}

}  // namespace casemate::engine
