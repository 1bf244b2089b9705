// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/matrix_product.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace casemate::engine {
namespace {

// A block of A takes 64 KiB of floats, one of B 256 KiB, one of C 64 KiB: together what a core's
// second cache holds. Each element that is packed serves for 128 operations or more.
constexpr int64_t kBlockRows = 64;
constexpr int64_t kBlockColumns = 256;
constexpr int64_t kBlockDepth = 256;

// Rows of A that are multiplied together, so that one load from B serves them all.
constexpr int64_t kTileRows = 4;

// What every processor of this architecture adds and multiplies at once.
template <class W>
using Lanes [[gnu::vector_size(16)]] = W;
template <class W>
constexpr int64_t kLanes = 16 / sizeof(W);
template <class W>
constexpr int64_t kTileColumns = 2 * kLanes<W>;

template <class W>
Lanes<W> load(const W* from) {
  Lanes<W> lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

// c += a b, for a tile of c, `rows` columns of a one behind the other, and as many rows of b. The
// sums are unrolled by hand, as it were: in a loop they would be kept in memory.
template <int64_t rows, class W>
void add_tile(const W* a, const W* b, int64_t depth, W* c, int64_t c_step) {
  const auto each = [&]<size_t... r>(std::index_sequence<r...>) {
    Lanes<W> left[rows] = {};
    Lanes<W> right[rows] = {};
    for (int64_t k = 0; k < depth; ++k, a += rows, b += kTileColumns<W>) {
      const Lanes<W> first = load(b);
      const Lanes<W> second = load(b + kLanes<W>);
      ((left[r] += a[r] * first, right[r] += a[r] * second), ...);
    }
    const auto store = [&](W* to, const Lanes<W>& sum) {
      const Lanes<W> total = load(to) + sum;
      std::memcpy(to, &total, sizeof total);
    };
    ((store(c + r * c_step, left[r]), store(c + r * c_step + kLanes<W>, right[r])), ...);
  };
  each(std::make_index_sequence<rows>());
}

// Room for one block of each matrix, widened.
template <class T, class R>
class Blocks final {
 public:
  using W = Wrapping<T>;

  explicit Blocks(const MatrixProduct<T, R>& product) : product_(product) {
    rows_ = std::min(product.m, kBlockRows);
    columns_ = rounded_up(std::min(product.n, kBlockColumns));
    const int64_t depth = std::min(product.k, kBlockDepth);
    a_.resize(static_cast<size_t>(rows_ * depth));
    b_.resize(static_cast<size_t>(columns_ * depth));
    c_.resize(static_cast<size_t>(rows_ * columns_));
  }

  // The block of C whose first element is in that row and column.
  void run(int64_t row, int64_t column) {
    rows_ = std::min(product_.m - row, kBlockRows);
    const int64_t width = std::min(product_.n - column, kBlockColumns);
    columns_ = rounded_up(width);
    std::ranges::fill(c_, W{});
    for (int64_t k = 0; k < product_.k; k += kBlockDepth) {
      const int64_t depth = std::min(product_.k - k, kBlockDepth);
      pack_a(row, k, depth);
      pack_b(k, column, depth, width);
      add_tiles(depth);
    }
    store(row, column, width);
  }

 private:
  static int64_t rounded_up(int64_t columns) {
    return (columns + kTileColumns<W> - 1) / kTileColumns<W> * kTileColumns<W>;
  }

  // How many rows are multiplied together from that one on.
  [[nodiscard]] int64_t rows_from(int64_t row) const {
    return rows_ - row < kTileRows ? 1 : kTileRows;
  }

  void pack_a(int64_t row, int64_t k, int64_t depth) {
    const auto& [elements, row_step, column_step] = product_.a;
    const T* from = elements + row * row_step + k * column_step;
    for (int64_t i = 0; i < rows_;) {
      const int64_t rows = rows_from(i);
      W* to = a_.data() + i * depth;
      for (int64_t r = 0; r < rows; ++r, ++i) {
        for (int64_t d = 0; d < depth; ++d)
          to[d * rows + r] = static_cast<W>(from[i * row_step + d * column_step]);
      }
    }
  }

  // What a tile has beyond the matrix is left as it is: it is multiplied, and never stored.
  void pack_b(int64_t k, int64_t column, int64_t depth, int64_t width) {
    const auto& [elements, row_step, column_step] = product_.b;
    const T* from = elements + k * row_step + column * column_step;
    for (int64_t j = 0; j < width; j += kTileColumns<W>) {
      const int64_t columns = std::min(width - j, kTileColumns<W>);
      W* to = b_.data() + j * depth;
      for (int64_t d = 0; d < depth; ++d, to += kTileColumns<W>) {
        const T* x = from + d * row_step + j * column_step;
        for (int64_t i = 0; i < columns; ++i) to[i] = static_cast<W>(x[i * column_step]);
      }
    }
  }

  void add_tiles(int64_t depth) {
    for (int64_t j = 0; j < columns_; j += kTileColumns<W>) {
      const W* b = b_.data() + j * depth;
      for (int64_t i = 0; i < rows_;) {
        const int64_t rows = rows_from(i);
        const auto add = rows == 1 ? add_tile<1, W> : add_tile<kTileRows, W>;
        add(a_.data() + i * depth, b, depth, c_.data() + i * columns_ + j, columns_);
        i += rows;
      }
    }
  }

  void store(int64_t row, int64_t column, int64_t width) {
    const auto& [elements, row_step, column_step] = product_.c;
    for (int64_t i = 0; i < rows_; ++i) {
      R* to = elements + (row + i) * row_step + column * column_step;
      const W* sums = c_.data() + i * columns_;
      for (int64_t j = 0; j < width; ++j) {
        R& y = to[j * column_step];
        y = static_cast<R>(product_.accumulate ? static_cast<W>(static_cast<W>(y) + sums[j])
                                               : sums[j]);
      }
    }
  }

  const MatrixProduct<T, R>& product_;
  int64_t rows_ = 0;     // of the block of A and C
  int64_t columns_ = 0;  // of the block of B and C, in whole tiles
  std::vector<W> a_;
  std::vector<W> b_;
  std::vector<W> c_;
};

}  // namespace

template <class T, class R>
void multiply(const MatrixProduct<T, R>& product) {
  if (product.m == 0 || product.n == 0) return;
  Blocks<T, R> blocks(product);
  for (int64_t column = 0; column < product.n; column += kBlockColumns) {
    for (int64_t row = 0; row < product.m; row += kBlockRows) blocks.run(row, column);
  }
}

template void multiply(const MatrixProduct<float>&);
template void multiply(const MatrixProduct<double>&);
template void multiply(const MatrixProduct<Float16>&);
template void multiply(const MatrixProduct<Bfloat16>&);
template void multiply(const MatrixProduct<Float16, float>&);
template void multiply(const MatrixProduct<Bfloat16, float>&);
template void multiply(const MatrixProduct<int32_t>&);
template void multiply(const MatrixProduct<int64_t>&);
template void multiply(const MatrixProduct<uint32_t>&);
template void multiply(const MatrixProduct<uint64_t>&);

}  // namespace casemate::engine
