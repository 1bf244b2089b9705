// SPDX-License-Identifier: Apache-2.0
#pragma once
// What all convolutions share: groups of channels, and images laid out as matrices, so that a
// convolution is a matrix product: weights [M, C * taps] times columns [C * taps, positions].
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    grouped() checks that shapes agree; the rest relies on it.
//   Fails    with kInvalid, and what does not agree.

#include <algorithm>
#include <vector>

#include "isolated/engine/operators/types.h"
#include "isolated/engine/operators/window.h"

namespace casemate::engine {

struct Grouped {
  Window window;
  int64_t batch = 0;
  int64_t groups = 1;
  int64_t inputs = 0;   // channels of one group
  int64_t outputs = 0;  // ditto
};

// A convolution of `input` [N, groups * C, spatial...] with `weights` [groups * M, C, spatial...].
Result<Grouped> grouped(const Computation& c, const Shape& input, const Shape& weights);
// One number for each of the output channels.
Status check_bias(const Shape& bias, int64_t channels);

// Elements in what is computed in: themselves, or copies of 16-bit floats.
template <class T>
class Widened {
 public:
  explicit Widened(std::span<const T> values) : values_(values) {
    if constexpr (!std::is_same_v<T, Wide<T>>) wide_.assign(values.begin(), values.end());
  }
  // How many copies there will be.
  static int64_t copies(std::span<const T> values) {
    return std::is_same_v<T, Wide<T>> ? 0 : static_cast<int64_t>(values.size());
  }
  [[nodiscard]] const Wide<T>* data() const {
    if constexpr (std::is_same_v<T, Wide<T>>) {
      return values_.data();
    } else {
      return wide_.data();
    }
  }

 private:
  std::span<const T> values_;
  std::vector<Wide<T>> wide_;
};

// A number of positions of which the columns make up 4 MiB or so.
inline int64_t positions_at_once(int64_t rows, int64_t positions) {
  constexpr int64_t kElements = 1 << 20;
  return std::clamp<int64_t>(kElements / std::max<int64_t>(rows, 1), 1,
                             std::max<int64_t>(positions, 1));
}

// Asks for the memory of such columns, and of so many elements more.
template <class T>
Status allow_columns(Computation& c, int64_t rows, int64_t positions, int64_t more) {
  const int64_t elements = rows * positions_at_once(rows, positions) + more;
  return c.allow(static_cast<uint64_t>(elements) * sizeof(T));
}

// One tap at positions that follow each other along the last dimension.
struct Run {
  int64_t tap = 0;
  int64_t column = 0;  // of the first position in the block
  int64_t length = 0;
  Range on_input = {};  // those of the positions at which the tap lies on the input
  int64_t cell = 0;     // under the first of these; the next is a stride further
};

// Calls `visit` with all runs of a block of positions, whatever their tap.
template <class Visit>
void for_each_run(const Window& window, Range block, Visit visit) {
  using Index = std::array<int64_t, kWindowRank>;
  const uint32_t rank = window.rank;
  const WindowAxis& last = window.last();
  struct Piece {
    Index position = {};
    int64_t column = 0;
    int64_t length = 0;
  };
  std::vector<Piece> pieces;
  for (int64_t at = block.first; at < block.last; at += pieces.back().length) {
    Piece piece{.column = at - block.first};
    for (int64_t rest = at, i = rank - 1; i >= 0; rest /= window.axes[i].output, --i)
      piece.position[i] = rest % window.axes[i].output;
    piece.length = std::min(last.output - piece.position[rank - 1], block.last - at);
    pieces.push_back(piece);
  }
  const int64_t taps = window.taps();
  Index tap = {};
  for (int64_t number = 0; number < taps; ++number) {
    const Range on_last = last.positions(tap[rank - 1]);
    for (const Piece& piece : pieces) {
      const int64_t start = piece.position[rank - 1];
      Run run{.tap = number, .column = piece.column, .length = piece.length};
      run.on_input.first = std::clamp<int64_t>(on_last.first - start, 0, piece.length);
      run.on_input.last =
          std::clamp<int64_t>(on_last.last - start, run.on_input.first, piece.length);
      bool inside = run.on_input.count() > 0;
      for (uint32_t i = 0; i + 1 < rank && inside; ++i) {
        const WindowAxis& axis = window.axes[i];
        const int64_t cell = axis.cell(piece.position[i], tap[i]);
        inside = cell >= 0 && cell < axis.input;
        if (inside) run.cell = (run.cell + cell) * window.axes[i + 1].input;
      }
      if (inside) {
        run.cell += last.cell(start + run.on_input.first, tap[rank - 1]);
      } else {
        run.on_input = {};
      }
      visit(run);
    }
    for (uint32_t i = rank; i-- > 0 && ++tap[i] == window.axes[i].kernel;) tap[i] = 0;
  }
}

// Writes columns [channels * taps, block] of an image [channels, cells...]; the padding is 0.
template <class T>
void unroll(const Window& window, const T* image, int64_t channels, Range block, T* columns) {
  const int64_t stride = window.last().stride;
  const int64_t taps = window.taps();
  const int64_t cells = window.cells();
  for_each_run(window, block, [&](const Run& run) {
    const auto [first, last] = run.on_input;
    for (int64_t channel = 0; channel < channels; ++channel) {
      T* row = columns + (channel * taps + run.tap) * block.count() + run.column;
      std::fill(row, row + first, T{});
      std::fill(row + last, row + run.length, T{});
      if (first == last) continue;
      const T* x = image + channel * cells + run.cell;
      if (stride == 1) {
        std::copy(x, x + (last - first), row + first);
      } else {
        for (int64_t i = first; i < last; ++i) row[i] = x[(i - first) * stride];
      }
    }
  });
}

// The other way: adds columns [channels * taps, block] to the cells under them.
template <class T>
void roll(const Window& window, const T* columns, int64_t channels, Range block, T* image) {
  const int64_t stride = window.last().stride;
  const int64_t taps = window.taps();
  const int64_t cells = window.cells();
  for_each_run(window, block, [&](const Run& run) {
    const auto [first, last] = run.on_input;
    for (int64_t channel = 0; channel < channels && first < last; ++channel) {
      const T* row = columns + (channel * taps + run.tap) * block.count() + run.column;
      T* y = image + channel * cells + run.cell;
      for (int64_t i = first; i < last; ++i) y[(i - first) * stride] += row[i];
    }
  });
}

}  // namespace casemate::engine
