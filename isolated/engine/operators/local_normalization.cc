// SPDX-License-Identifier: Apache-2.0
// Operators that divide elements by the size of those around them.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

constexpr int64_t kColumns = 16;

// Sums over windows of up to `size` neighbouring rows, `kColumns` columns at a time, for any size
// at the same cost, and without ever taking away what was added: rows fall into blocks of `size`,
// and a window is the end of one block and the beginning of the next.
class WindowSums final {
 public:
  static uint64_t bytes_for(int64_t rows) {
    return 2 * static_cast<uint64_t>(rows) * kColumns * sizeof(double);
  }
  // Requires: 1 <= size <= rows.
  WindowSums(int64_t rows, int64_t size)
      : rows_(rows), size_(size), from_start_(rows * kColumns), to_end_(rows * kColumns) {}

  // `row(i)` points to the columns of row i.
  template <class Row>
  void add(Row row) {
    for (int64_t i = 0; i < rows_; ++i)
      add(row(i), i % size_ == 0 ? nullptr : &from_start_[(i - 1) * kColumns], &from_start_[at(i)]);
    for (int64_t i = rows_; i-- > 0;) {
      const bool last = i + 1 == rows_ || (i + 1) % size_ == 0;
      add(row(i), last ? nullptr : &to_end_[(i + 1) * kColumns], &to_end_[at(i)]);
    }
  }

  // Of the rows from `low` to `high`, both included. Requires: they are `size` neighbours, or all
  // there are up to the first or the last row.
  [[nodiscard]] double sum(int64_t low, int64_t high, int64_t column) const {
    const double head = from_start_[at(high) + column];
    const double tail = to_end_[at(low) + column];
    if (low / size_ != high / size_) return tail + head;
    return low % size_ == 0 ? head : tail;
  }

 private:
  static int64_t at(int64_t row) { return row * kColumns; }
  static void add(const double* row, const double* before, double* to) {
    for (int64_t j = 0; j < kColumns; ++j) to[j] = row[j] + (before == nullptr ? 0 : before[j]);
  }

  int64_t rows_;
  int64_t size_;
  std::vector<double> from_start_;  // of each block, up to and with each row
  std::vector<double> to_end_;      // of each block, from each row on
};

struct ResponseAttributes {
  double alpha;  // per element of the window
  double beta;
  double bias;
  int64_t before;  // channels in the window before its own
  int64_t behind;
};

template <class T>
void normalize_responses(const Split& split, const ResponseAttributes& a, const T* x, T* y) {
  const int64_t channels = split.extent;
  WindowSums windows(channels, std::min(a.before + a.behind + 1, channels));
  for_each_columns(split, kColumns, [&](int64_t first, int64_t count) {
    double squares[kColumns] = {};
    windows.add([&](int64_t channel) {
      const T* from = x + first + channel * split.inner;
      for (int64_t j = 0; j < count; ++j) squares[j] = real_of(from[j]) * real_of(from[j]);
      return squares;
    });
    for (int64_t channel = 0; channel < channels; ++channel) {
      const int64_t low = channel - std::min(channel, a.before);
      const int64_t high = channel + std::min(channels - 1 - channel, a.behind);
      for (int64_t j = 0; j < count; ++j) {
        const int64_t at = first + channel * split.inner + j;
        const double size = std::pow(a.bias + a.alpha * windows.sum(low, high, j), a.beta);
        y[at] = static_cast<T>(real_of(x[at]) / size);
      }
    }
  });
}

Status compute_response_normalization(Computation& c) {
  const Split split = TRY(split_at(c.shape(0), 1));
  const int64_t size = c.attributes().integer("size", 0);
  if (size < 1)
    return Error{Code::kInvalid, formatted("its size is {}, it takes at least 1", size)};
  const ResponseAttributes a{
      .alpha =
          static_cast<double>(c.attributes().real("alpha", 0.0001F)) / static_cast<double>(size),
      .beta = static_cast<double>(c.attributes().real("beta", 0.75F)),
      .bias = static_cast<double>(c.attributes().real("bias", 1)),
      .before = (size - 1) / 2,
      .behind = size / 2,
  };
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, c.shape(0)));
    const auto x = TRY(c.values<T>(0));
    if (!y.empty()) TRY(c.allow(WindowSums::bytes_for(split.extent)));
    if (!y.empty()) normalize_responses(split, a, x.data(), y.data());
    return {};
  });
}

// Where all elements are 0, they stay.
template <class T>
void normalize_lengths(const Split& split, int64_t p, const T* x, T* y) {
  for_each_columns(split, kColumns, [&](int64_t first, int64_t count) {
    double sizes[kColumns] = {};
    for (int64_t i = 0; i < split.extent; ++i) {
      const T* from = x + first + i * split.inner;
      for (int64_t j = 0; j < count; ++j)
        sizes[j] += p == 1 ? std::abs(real_of(from[j])) : real_of(from[j]) * real_of(from[j]);
    }
    for (double& size : sizes) {
      if (p == 2) size = std::sqrt(size);
      if (size == 0) size = 1;
    }
    for (int64_t i = 0; i < split.extent; ++i) {
      const int64_t at = first + i * split.inner;
      for (int64_t j = 0; j < count; ++j) y[at + j] = static_cast<T>(real_of(x[at + j]) / sizes[j]);
    }
  });
}

Status compute_length_normalization(Computation& c) {
  const Split split = TRY(split_at(c.shape(0), c.attributes().integer("axis", -1)));
  const int64_t p = c.attributes().integer("p", 2);
  if (p != 1 && p != 2) return Error{Code::kInvalid, formatted("its p is {}, it takes 1 or 2", p)};
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, c.shape(0)));
    const auto x = TRY(c.values<T>(0));
    if (!y.empty()) normalize_lengths(split, p, x.data(), y.data());
    return {};
  });
}

}  // namespace

void add_local_normalization(Operators& operators) {
  operators.add("LRN", compute_response_normalization);
  operators.add("LpNormalization", compute_length_normalization);
}

}  // namespace casemate::engine
