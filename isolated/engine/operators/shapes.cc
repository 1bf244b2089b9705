// SPDX-License-Identifier: Apache-2.0
// Operators on shapes: they tell one, or show the same elements under another. Reshape and its kin
// give views: nothing is copied.
#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/broadcast.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// What a Reshape's extents mean for an input: 0 copies one of its extents unless zeros are allowed,
// -1 stands for what is left.
Result<Shape> reshaped(const Shape& input, std::vector<int64_t> extents, bool zeros_allowed) {
  std::optional<size_t> open;
  for (size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] == -1) {
      if (open) return Error{Code::kInvalid, "its shape has more than one extent of -1"};
      open = i;
      extents[i] = 1;
    } else if (extents[i] == 0 && !zeros_allowed) {
      if (i >= input.rank()) {
        return Error{Code::kInvalid, formatted("its shape copies extent {} of an input of shape {}",
                                               i, input.text())};
      }
      extents[i] = input[i];
    }
  }
  Shape shape = TRY(shape_of(extents));
  if (!open) return shape;
  const auto have = static_cast<int64_t>(TRY(input.element_count()));
  const auto rest = static_cast<int64_t>(TRY(shape.element_count()));
  if (rest == 0 || have % rest != 0) {
    return Error{Code::kInvalid,
                 formatted("{} elements of shape {} leave no extent for the -1 in its shape", have,
                           input.text())};
  }
  return with_extent(shape, static_cast<uint32_t>(*open), have / rest);
}

Status compute_reshape(Computation& c) {
  const auto extents = c.since(5) ? TRY(c.integers(1)) : c.attributes().integers("shape");
  const bool zeros_allowed = c.attributes().integer("allowzero", 0) != 0;
  return c.give_reshaped(0, 0, TRY(reshaped(c.shape(0), extents, zeros_allowed)));
}

Status compute_flatten(Computation& c) {
  const Shape& x = c.shape(0);
  const int64_t axis = c.attributes().integer("axis", 1);
  // One behind the last axis is meant too: all extents are before it.
  const size_t first = axis == x.rank() ? x.rank() : TRY(axis_of(axis, x.rank()));
  return c.give_reshaped(0, 0, {count_of(x, 0, first), count_of(x, first, x.rank())});
}

// The axes of Squeeze and Unsqueeze: an input since version 13, an attribute before.
Result<std::optional<std::vector<int64_t>>> stated_axes(Computation& c) {
  std::optional<std::vector<int64_t>> axes;
  if (!c.since(13)) {
    if (c.attributes().has("axes")) axes = c.attributes().integers("axes");
  } else if (c.has(1)) {
    axes = TRY(c.integers(1));
  }
  return axes;
}

Status compute_squeeze(Computation& c) {
  const Shape& x = c.shape(0);
  const auto stated = TRY(stated_axes(c));
  std::vector<bool> dropped(x.rank());
  if (!stated) {
    for (uint32_t i = 0; i < x.rank(); ++i) dropped[i] = x[i] == 1;
  } else {
    for (const uint32_t axis : TRY(axes_of(*stated, x.rank()))) {
      if (x[axis] != 1) {
        return Error{Code::kInvalid, formatted("axis {} of shape {} is not 1 and cannot be dropped",
                                               axis, x.text())};
      }
      dropped[axis] = true;
    }
  }
  std::vector<int64_t> extents;
  for (uint32_t i = 0; i < x.rank(); ++i) {
    if (!dropped[i]) extents.push_back(x[i]);
  }
  return c.give_reshaped(0, 0, Shape(extents));
}

Status compute_unsqueeze(Computation& c) {
  const Shape& x = c.shape(0);
  const auto stated = TRY(stated_axes(c));
  if (!stated) return Error{Code::kInvalid, "it does not say which axes to add"};
  if (stated->size() > limits::kRank) {
    return Error{Code::kTooLarge, formatted("it adds {} axes, a tensor has at most {}",
                                            stated->size(), limits::kRank)};
  }
  const size_t rank = x.rank() + stated->size();
  const auto added = TRY(axes_of(*stated, rank));
  std::vector<int64_t> extents;
  uint32_t next = 0;
  for (uint32_t i = 0; i < rank; ++i)
    extents.push_back(std::ranges::find(added, i) == added.end() ? x[next++] : 1);
  return c.give_reshaped(0, 0, TRY(shape_of(extents)));
}

Status check_is_tensor(const Computation& c) {
  if (c.type(0) != ElementType::kNone) return {};
  return Error{Code::kInvalid, "its input 0 is no tensor"};
}

Status compute_shape(Computation& c) {
  TRY(check_is_tensor(c));
  const std::span<const int64_t> extents = c.shape(0).dims();
  const auto rank = static_cast<int64_t>(extents.size());
  const auto position = [&](const char* name, int64_t otherwise) {
    const int64_t stated = c.attributes().integer(name, otherwise);
    return std::clamp<int64_t>(stated < 0 ? stated + rank : stated, 0, rank);
  };
  const int64_t start = position("start", 0);
  const int64_t end = std::max(start, position("end", rank));
  const auto part = extents.subspan(static_cast<size_t>(start), static_cast<size_t>(end - start));
  return c.give(0, Tensor::of<int64_t>({end - start}, part));
}

Status compute_size(Computation& c) {
  TRY(check_is_tensor(c));
  return c.give(0,
                Tensor::of<int64_t>({}, {static_cast<int64_t>(TRY(c.shape(0).element_count()))}));
}

// One box of the input makes the whole output.
Status move_all(Computation& c, const Box& box) {
  Tensor& y = *TRY(c.make(0, c.type(0), box.shape));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  mover.move(box, from, mover.to(y));
  return mover.done();
}

Status compute_expand(Computation& c) {
  const Shape wanted = TRY(shape_of(TRY(c.integers(1))));
  const Shape shape = TRY(broadcast(c.shape(0), wanted));
  TRY(shape.element_count());
  return move_all(
      c, {.shape = shape, .read = broadcast_steps(c.shape(0), shape), .write = dense_steps(shape)});
}

Status compute_transpose(Computation& c) {
  const Shape& x = c.shape(0);
  std::vector<int64_t> order = c.attributes().integers("perm");
  if (!c.attributes().has("perm")) {
    order.resize(x.rank());
    std::iota(order.rbegin(), order.rend(), 0);
  }
  if (order.size() != x.rank()) {
    return Error{Code::kInvalid,
                 formatted("its order has {} axes, its input {}", order.size(), x.rank())};
  }
  // Elsewhere ONNX counts negative axes from the end; of this list it does not say so.
  if (std::ranges::any_of(order, [](int64_t axis) { return axis < 0; }))
    return Error{Code::kInvalid, "its order has a negative axis"};
  const auto axes = TRY(axes_of(order, x.rank()));
  const Steps dense = dense_steps(x);
  Box box{.shape = x};
  for (uint32_t i = 0; i < x.rank(); ++i) {
    box.shape[i] = x[axes[i]];
    box.read[i] = dense[axes[i]];
  }
  box.write = dense_steps(box.shape);
  return move_all(c, box);
}

}  // namespace

void add_shapes(Operators& operators) {
  operators.add("Reshape", compute_reshape);
  operators.add("Flatten", compute_flatten);
  operators.add("Squeeze", compute_squeeze);
  operators.add("Unsqueeze", compute_unsqueeze);
  operators.add("Shape", compute_shape);
  operators.add("Size", compute_size);
  operators.add("Expand", compute_expand);
  operators.add("Transpose", compute_transpose);
}

}  // namespace casemate::engine
