// SPDX-License-Identifier: Apache-2.0
// Operators that cut tensors into pieces, join pieces, and lay them out anew.
#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/indices.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/numbers.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// --- Slice

struct Cuts {
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  std::vector<int64_t> axes;
  std::vector<int64_t> steps;
};

Result<Cuts> stated_cuts(Computation& c) {
  Cuts cuts;
  bool some_axes = false;
  if (c.since(10)) {
    cuts.starts = TRY(c.integers(1));
    cuts.ends = TRY(c.integers(2));
    some_axes = c.has(3);
    if (some_axes) cuts.axes = TRY(c.integers(3));
    if (c.has(4)) cuts.steps = TRY(c.integers(4));
  } else {
    cuts.starts = c.attributes().integers("starts");
    cuts.ends = c.attributes().integers("ends");
    some_axes = c.attributes().has("axes");
    cuts.axes = c.attributes().integers("axes");
  }
  if (!some_axes) {
    cuts.axes.resize(cuts.starts.size());
    std::iota(cuts.axes.begin(), cuts.axes.end(), 0);
  }
  if (!c.has(4)) cuts.steps.assign(cuts.starts.size(), 1);
  if (cuts.ends.size() != cuts.starts.size() || cuts.axes.size() != cuts.starts.size() ||
      cuts.steps.size() != cuts.starts.size()) {
    return Error{
        Code::kInvalid,
        formatted("it has {} starts, {} ends, {} axes and {} steps, which are to be as "
                  "many",
                  cuts.starts.size(), cuts.ends.size(), cuts.axes.size(), cuts.steps.size())};
  }
  return cuts;
}

struct Cut {
  int64_t first = 0;
  int64_t step = 1;
  int64_t count = 0;
};

// What is left of an axis. As NumPy's slices: ends outside of the axis are moved onto it.
Result<Cut> cut_of(int64_t start, int64_t end, int64_t step, int64_t extent) {
  if (step == 0) return Error{Code::kInvalid, "it has a step of 0"};
  if (extent == 0) return Cut{};
  const auto placed = [&](int64_t position, int64_t low, int64_t high) {
    return std::clamp(position < 0 ? position + extent : position, low, high);
  };
  const bool forward = step > 0;
  const int64_t first = forward ? placed(start, 0, extent) : placed(start, 0, extent - 1);
  const int64_t behind = forward ? placed(end, 0, extent) : placed(end, -1, extent - 1);
  const int64_t distance = forward ? behind - first : first - behind;
  if (distance <= 0) return Cut{};
  const uint64_t stride = forward ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  const auto count = static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride + 1);
  // A step that is never taken may be anything, and would overflow.
  return Cut{.first = first, .step = count == 1 ? 1 : step, .count = count};
}

Status compute_slice(Computation& c) {
  const Cuts cuts = TRY(stated_cuts(c));
  const Shape& x = c.shape(0);
  const auto axes = TRY(axes_of(cuts.axes, x.rank()));
  const Steps dense = dense_steps(x);
  Box box{.shape = x, .read = dense};
  for (size_t i = 0; i < axes.size(); ++i) {
    const uint32_t axis = axes[i];
    const Cut cut = TRY(cut_of(cuts.starts[i], cuts.ends[i], cuts.steps[i], x[axis]));
    box.shape[axis] = cut.count;
    box.from += cut.first * dense[axis];
    box.read[axis] = cut.step * dense[axis];
  }
  box.write = dense_steps(box.shape);
  Tensor& y = *TRY(c.make(0, c.type(0), box.shape));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  mover.move(box, from, mover.to(y));
  return mover.done();
}

// --- Concat

Result<Shape> joined_shape(const Computation& c, uint32_t axis) {
  const Shape& first = c.shape(0);
  int64_t extent = 0;
  for (size_t i = 0; i < c.input_count(); ++i) {
    const Shape& next = c.shape(i);
    Shape alike = next;
    if (next.rank() == first.rank()) alike[axis] = first[axis];
    if (!c.has(i) || alike != first) {
      return Error{Code::kInvalid, formatted("shapes {} and {} differ not only along axis {}",
                                             first.text(), next.text(), axis)};
    }
    extent = TRY(sum_of(extent, next[axis]));
  }
  return with_extent(first, axis, extent);
}

Status compute_concat(Computation& c) {
  const uint32_t axis = TRY(axis_of(c.attributes().integer("axis", 1), c.shape(0).rank()));
  const Shape shape = TRY(joined_shape(c, axis));
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  Mover mover(c, c.type(0));
  uint8_t* to = mover.to(y);
  Box box{.shape = {}, .write = dense_steps(shape)};
  for (size_t i = 0; i < c.input_count(); ++i) {
    box.shape = c.shape(i);
    box.read = dense_steps(box.shape);
    mover.move(box, TRY(mover.from(i)), to);
    box.to += box.shape[axis] * box.write[axis];
  }
  return mover.done();
}

// --- Split

// Pieces as equal as the version allows: since 18 the last one may be smaller.
Result<std::vector<int64_t>> equal_extents(const Computation& c, int64_t extent) {
  const auto count = static_cast<int64_t>(c.output_count());
  const int64_t stated = c.attributes().integer("num_outputs", count);
  if (stated != count)
    return Error{Code::kInvalid, formatted("it has {} outputs, not {}", count, stated)};
  const int64_t piece = extent / count + (extent % count != 0 ? 1 : 0);
  const int64_t last = extent - piece * (count - 1);
  if (last < 0 || (last != piece && !c.since(18))) {
    return Error{Code::kInvalid,
                 formatted("an extent of {} cannot be split into {} equal pieces", extent, count)};
  }
  std::vector<int64_t> extents(static_cast<size_t>(count), piece);
  extents.back() = last;
  return extents;
}

Result<std::vector<int64_t>> piece_extents(Computation& c, int64_t extent) {
  std::vector<int64_t> extents;
  if (c.has(1)) {
    extents = c.since(13) ? TRY(c.integers(1)) : TRY(whole_numbers(c, 1));
  } else if (!c.since(13) && c.attributes().has("split")) {
    extents = c.attributes().integers("split");
  } else {
    return equal_extents(c, extent);
  }
  int64_t sum = 0;
  bool negative = false;
  for (const int64_t piece : extents) {
    negative = negative || piece < 0;
    sum = TRY(sum_of(sum, piece));
  }
  if (extents.size() != c.output_count() || sum != extent || negative) {
    return Error{Code::kInvalid,
                 formatted("its {} pieces of {} in all do not make {} outputs from an extent of {}",
                           extents.size(), sum, c.output_count(), extent)};
  }
  return extents;
}

Status compute_split(Computation& c) {
  const Shape& x = c.shape(0);
  const uint32_t axis = TRY(axis_of(c.attributes().integer("axis", 0), x.rank()));
  const auto extents = TRY(piece_extents(c, x[axis]));
  std::vector<Tensor*> pieces;
  for (size_t i = 0; i < extents.size(); ++i)
    pieces.push_back(TRY(c.make(i, c.type(0), TRY(with_extent(x, axis, extents[i])))));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  Box box{.shape = x, .read = dense_steps(x)};
  for (size_t i = 0; i < extents.size(); ++i) {
    box.shape[axis] = extents[i];
    box.write = dense_steps(box.shape);
    mover.move(box, from, mover.to(*pieces[i]));
    box.from += extents[i] * box.read[axis];
  }
  return mover.done();
}

// --- Tile

// Version 1 repeats one axis, and states both numbers in tensors of the type of its data.
Result<std::vector<int64_t>> stated_repeats(Computation& c) {
  if (c.since(6)) return c.integers(1);
  const auto count = TRY(whole_numbers(c, 1));
  const auto axis = TRY(whole_numbers(c, 2));
  if (count.size() != 1 || axis.size() != 1)
    return Error{Code::kInvalid, "it repeats one axis, and takes one number for each"};
  std::vector<int64_t> repeats(c.shape(0).rank(), 1);
  repeats[TRY(axis_of(axis[0], repeats.size()))] = count[0];
  return repeats;
}

Status compute_tile(Computation& c) {
  const auto repeats = TRY(stated_repeats(c));
  const Shape& x = c.shape(0);
  if (repeats.size() != x.rank()) {
    return Error{Code::kInvalid,
                 formatted("it has {} repeats for an input of rank {}", repeats.size(), x.rank())};
  }
  std::vector<int64_t> extents;
  for (uint32_t i = 0; i < x.rank(); ++i) {
    if (repeats[i] < 0)
      return Error{Code::kInvalid, formatted("it repeats axis {} {} times", i, repeats[i])};
    extents.push_back(TRY(product_of(x[i], repeats[i])));
  }
  const Shape shape = TRY(shape_of(extents));
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  Mover mover(c, c.type(0));
  uint8_t* to = mover.to(y);
  Box box{.shape = x, .read = dense_steps(x), .write = dense_steps(shape)};
  const uint8_t* from = TRY(mover.from(0));
  if (count_of(shape) == 0) return mover.done();
  mover.move(box, from, to);
  // Behind an axis all is filled: what is there of it is doubled until it is full.
  box.read = box.write;
  for (uint32_t axis = x.rank(); axis-- > 0;) {
    for (int64_t filled = x[axis]; filled < shape[axis]; filled += box.shape[axis]) {
      box.shape[axis] = std::min(filled, shape[axis] - filled);
      box.to = filled * box.write[axis];
      mover.move(box, to, to);
    }
    box.shape[axis] = shape[axis];
  }
  return mover.done();
}

// --- Trilu

Status compute_trilu(Computation& c) {
  const Shape& x = c.shape(0);
  if (x.rank() < 2)
    return Error{Code::kInvalid, formatted("shape {} has no matrices in it", x.text())};
  const bool upper = c.attributes().integer("upper", 1) != 0;
  const int64_t rows = x[x.rank() - 2];
  const int64_t columns = x[x.rank() - 1];
  Tensor& y = *TRY(c.make(0, c.type(0), x));
  const int64_t diagonal = std::clamp(c.has(1) ? TRY(c.integer(1)) : 0, -rows, columns);
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  uint8_t* to = mover.to(y);
  return for_width(mover.width(), [&]<class E>() -> Status {
    const E* in = elements_at<E>(from);
    E* out = elements_at<E>(to);
    const int64_t all = rows == 0 || columns == 0 ? 0 : count_of(x) / columns;
    for (int64_t row = 0; row < all; ++row, in += columns, out += columns) {
      // The first column that belongs to the upper part, or no more to the lower one.
      const int64_t edge = std::clamp<int64_t>(row % rows + diagonal + (upper ? 0 : 1), 0, columns);
      std::copy_n(in, columns, out);
      std::fill_n(upper ? out : out + edge, upper ? edge : columns - edge, E{});
    }
    return mover.done();
  });
}

// --- ReverseSequence

Status compute_reverse_sequence(Computation& c) {
  const Shape& x = c.shape(0);
  const int64_t batch_axis = c.attributes().integer("batch_axis", 1);
  const int64_t time_axis = c.attributes().integer("time_axis", 0);
  const bool in_order = batch_axis == 0 && time_axis == 1;
  if (x.rank() < 2 || (!in_order && (batch_axis != 1 || time_axis != 0))) {
    return Error{Code::kInvalid,
                 formatted("batch axis {} and time axis {} are not the first two of shape {}",
                           batch_axis, time_axis, x.text())};
  }
  const int64_t batches = x[static_cast<size_t>(batch_axis)];
  const int64_t times = x[static_cast<size_t>(time_axis)];
  if (c.shape(1) != Shape{batches}) {
    return Error{Code::kInvalid,
                 formatted("its lengths have shape {}, not [{}]", c.shape(1).text(), batches)};
  }
  Tensor& y = *TRY(c.make(0, c.type(0), x));
  const Indices lengths = TRY(Indices::of(c, 1));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  uint8_t* to = mover.to(y);
  const Steps dense = dense_steps(x);
  const int64_t step = dense[static_cast<size_t>(time_axis)];
  Box box{.shape = x, .read = dense, .write = dense};
  box.shape[static_cast<size_t>(batch_axis)] = 1;
  for (size_t i = 0; i < lengths.count() && count_of(x) > 0; ++i) {
    const int64_t length = lengths[i];
    if (length < 0 || length > times) {
      return Error{Code::kInvalid,
                   formatted("a length of {} is outside of the extent {}", length, times)};
    }
    const int64_t start = static_cast<int64_t>(i) * dense[static_cast<size_t>(batch_axis)];
    box.shape[static_cast<size_t>(time_axis)] = length;
    box.read[static_cast<size_t>(time_axis)] = -step;
    box.from = start + (length - 1) * step;
    box.to = start;
    mover.move(box, from, to);
    box.shape[static_cast<size_t>(time_axis)] = times - length;
    box.read[static_cast<size_t>(time_axis)] = step;
    box.from = box.to = start + length * step;
    mover.move(box, from, to);
  }
  return mover.done();
}

// --- DepthToSpace and SpaceToDepth

Result<int64_t> block_size(const Computation& c) {
  if (c.shape(0).rank() != 4) {
    return Error{Code::kInvalid,
                 formatted("its input has shape {}, it takes one of rank 4", c.shape(0).text())};
  }
  const int64_t block = c.attributes().integer("blocksize", 0);
  if (block < 1 || block > INT32_MAX)
    return Error{Code::kInvalid, formatted("a block size of {} has no meaning", block)};
  return block;
}

// The output is the input seen as of six dimensions, these in another order.
Status move_blocks(Computation& c, const Shape& shape, const std::array<int64_t, 6>& seen,
                   const std::array<uint32_t, 6>& order) {
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  if (count_of(shape) == 0) return {};
  const Steps dense = dense_steps(Shape(seen));
  std::array<int64_t, 6> extents{};
  Box box;
  for (size_t i = 0; i < order.size(); ++i) {
    extents[i] = seen[order[i]];
    box.read[i] = dense[order[i]];
  }
  box.shape = Shape(extents);
  box.write = dense_steps(box.shape);
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  mover.move(box, from, mover.to(y));
  return mover.done();
}

Status compute_depth_to_space(Computation& c) {
  const int64_t block = TRY(block_size(c));
  const Shape& x = c.shape(0);
  if (x[1] % (block * block) != 0) {
    return Error{Code::kInvalid,
                 formatted("{} channels do not make blocks of {}x{}", x[1], block, block)};
  }
  const std::string mode = c.attributes().text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return Error{Code::kInvalid, formatted("mode '{}' is neither DCR nor CRD", mode)};
  const int64_t channels = x[1] / (block * block);
  const Shape shape = TRY(shape_of(
      std::array{x[0], channels, TRY(product_of(x[2], block)), TRY(product_of(x[3], block))}));
  if (mode == "DCR")
    return move_blocks(c, shape, {x[0], block, block, channels, x[2], x[3]}, {0, 3, 4, 1, 5, 2});
  return move_blocks(c, shape, {x[0], channels, block, block, x[2], x[3]}, {0, 1, 4, 2, 5, 3});
}

Status compute_space_to_depth(Computation& c) {
  const int64_t block = TRY(block_size(c));
  const Shape& x = c.shape(0);
  if (x[2] % block != 0 || x[3] % block != 0) {
    return Error{Code::kInvalid,
                 formatted("{}x{} does not make blocks of {}x{}", x[2], x[3], block, block)};
  }
  const int64_t channels = TRY(product_of(x[1], block * block));
  const Shape shape = TRY(shape_of(std::array{x[0], channels, x[2] / block, x[3] / block}));
  return move_blocks(c, shape, {x[0], x[1], x[2] / block, block, x[3] / block, block},
                     {0, 3, 5, 1, 2, 4});
}

}  // namespace

void add_pieces(Operators& operators) {
  operators.add("Slice", compute_slice);
  operators.add("Concat", compute_concat);
  operators.add("Split", compute_split);
  operators.add("Tile", compute_tile);
  operators.add("Trilu", compute_trilu);
  operators.add("ReverseSequence", compute_reverse_sequence);
  operators.add("DepthToSpace", compute_depth_to_space);
  operators.add("SpaceToDepth", compute_space_to_depth);
}

}  // namespace casemate::engine
