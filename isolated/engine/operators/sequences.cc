// SPDX-License-Identifier: Apache-2.0
// Operators on sequences of tensors, and on optionals, which hold one value or none.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// Sequences share their tensors' elements, but a list of many is memory too.
Status allow_list(Computation& c, size_t count) { return c.allow(count * sizeof(Tensor)); }

Error mixed(ElementType a, ElementType b) {
  return {Code::kInvalid, formatted("a sequence of {} cannot hold {}", name_of(a), name_of(b))};
}

Status compute_sequence_empty(Computation& c) { return c.give(0, Sequence{}); }

Status compute_sequence_construct(Computation& c) {
  TRY(allow_list(c, c.input_count()));
  Sequence sequence;
  for (size_t i = 0; i < c.input_count(); ++i) {
    if (c.type(i) != c.type(0)) return mixed(c.type(0), c.type(i));
    sequence.push_back(*TRY(c.tensor(i)));
  }
  return c.give(0, std::move(sequence));
}

// The position that an input states; `otherwise` when it is left out.
Result<size_t> position(Computation& c, size_t input, size_t count, int64_t otherwise) {
  const int64_t stated = c.has(input) ? TRY(c.integer(input)) : otherwise;
  const auto size = static_cast<int64_t>(count);
  if (stated < -size || stated >= size) {
    return Error{Code::kInvalid,
                 formatted("position {} is outside of a sequence of {}", stated, count)};
  }
  return static_cast<size_t>(stated < 0 ? stated + size : stated);
}

Status compute_sequence_at(Computation& c) {
  const Sequence& sequence = *TRY(c.sequence(0));
  return c.give(0, sequence[TRY(position(c, 1, sequence.size(), 0))]);
}

Status compute_sequence_insert(Computation& c) {
  const Sequence& before = *TRY(c.sequence(0));
  const Tensor& tensor = *TRY(c.tensor(1));
  if (!before.empty() && before[0].type() != tensor.type())
    return mixed(before[0].type(), tensor.type());
  const auto count = static_cast<int64_t>(before.size());
  const int64_t stated = c.has(2) ? TRY(c.integer(2)) : count;
  if (stated < -count || stated > count) {
    return Error{Code::kInvalid,
                 formatted("position {} is outside of a sequence of {}", stated, count)};
  }
  TRY(allow_list(c, before.size() + 1));
  Sequence sequence = before;
  sequence.insert(sequence.begin() + (stated < 0 ? stated + count : stated), tensor);
  return c.give(0, std::move(sequence));
}

Status compute_sequence_erase(Computation& c) {
  const Sequence& before = *TRY(c.sequence(0));
  const size_t erased = TRY(position(c, 1, before.size(), -1));
  TRY(allow_list(c, before.size()));
  Sequence sequence = before;
  sequence.erase(sequence.begin() + static_cast<std::ptrdiff_t>(erased));
  return c.give(0, std::move(sequence));
}

Status compute_sequence_length(Computation& c) {
  const auto count = static_cast<int64_t>(TRY(c.sequence(0))->size());
  return c.give(0, Tensor::of<int64_t>({}, {count}));
}

// The extents of the pieces: a scalar states that of all, but for the last that may be smaller.
Result<std::vector<int64_t>> piece_extents(Computation& c, int64_t extent) {
  int64_t each = 1;
  if (c.has(1)) {
    const auto stated = TRY(c.integers(1));
    if (c.shape(1).rank() != 0) {
      int64_t sum = 0;
      for (const int64_t piece : stated) {
        if (piece < 0) return Error{Code::kInvalid, formatted("a piece has extent {}", piece)};
        sum = TRY(sum_of(sum, piece));
      }
      if (sum == extent) return stated;
      return Error{Code::kInvalid,
                   formatted("pieces of {} in all do not make an extent of {}", sum, extent)};
    }
    each = stated[0];
  }
  if (each < 1) return Error{Code::kInvalid, formatted("a piece has extent {}", each)};
  const int64_t count = extent / each + (extent % each != 0 ? 1 : 0);
  TRY(allow_list(c, static_cast<size_t>(std::min<int64_t>(count, 1LL << 40))));
  std::vector<int64_t> extents(static_cast<size_t>(count), each);
  if (count > 0) extents.back() = extent - each * (count - 1);
  return extents;
}

Status compute_split_to_sequence(Computation& c) {
  const Shape x = c.shape(0);
  const uint32_t axis = TRY(axis_of(c.attributes().integer("axis", 0), x.rank()));
  const Tensor& tensor = *TRY(c.tensor(0));
  const auto extents = TRY(piece_extents(c, x[axis]));
  const bool keep = c.has(1) || c.attributes().integer("keepdims", 1) != 0;
  std::vector<int64_t> kept(x.dims().begin(), x.dims().end());
  if (!keep) kept.erase(kept.begin() + axis);
  TRY(allow_list(c, extents.size()));
  TRY(c.allow(tensor.bytes().size()));
  Sequence pieces;
  for (const int64_t extent : extents)
    pieces.push_back(TRY(Tensor::unset(c.type(0), TRY(with_extent(x, axis, extent)))));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  Box box{.shape = x, .read = dense_steps(x)};
  for (Tensor& piece : pieces) {
    box.shape = piece.shape();
    box.write = dense_steps(box.shape);
    mover.move(box, from, mover.to(piece));
    box.from += box.shape[axis] * box.read[axis];
  }
  TRY(mover.done());
  if (!keep) {
    for (Tensor& piece : pieces) piece = piece.reshaped(Shape(kept));
  }
  return c.give(0, std::move(pieces));
}

// The shape of all tensors of a sequence joined along an axis, each seen with that axis.
Result<Shape> joined_shape(const Sequence& sequence, uint32_t axis, bool new_axis) {
  std::vector<int64_t> extents(sequence[0].shape().dims().begin(),
                               sequence[0].shape().dims().end());
  if (new_axis) extents.insert(extents.begin() + axis, 0);
  extents[axis] = 0;
  for (const Tensor& tensor : sequence) {
    Shape alike = tensor.shape();
    const Shape& first = sequence[0].shape();
    if (!new_axis && alike.rank() == first.rank()) alike[axis] = first[axis];
    if (alike != first) {
      return Error{Code::kInvalid, formatted("shapes {} and {} cannot be joined along axis {}",
                                             first.text(), tensor.shape().text(), axis)};
    }
    extents[axis] = TRY(sum_of(extents[axis], new_axis ? 1 : tensor.shape()[axis]));
  }
  return shape_of(extents);
}

Status compute_concat_from_sequence(Computation& c) {
  const Sequence& sequence = *TRY(c.sequence(0));
  if (sequence.empty()) return Error{Code::kInvalid, "an empty sequence cannot be joined"};
  const bool new_axis = c.attributes().integer("new_axis", 0) != 0;
  const size_t rank = sequence[0].shape().rank() + size_t{new_axis ? 1U : 0U};
  const uint32_t axis = TRY(axis_of(c.attributes().integer("axis", 0), rank));
  const Shape shape = TRY(joined_shape(sequence, axis, new_axis));
  const ElementType type = sequence[0].type();
  Tensor& y = *TRY(c.make(0, type, shape));
  Mover mover(c, type);
  uint8_t* to = mover.to(y);
  Box box{.shape = shape, .write = dense_steps(shape)};
  for (const Tensor& tensor : sequence) {
    box.shape[axis] = new_axis ? 1 : tensor.shape()[axis];
    box.read = dense_steps(box.shape);
    mover.move(box, TRY(mover.from(tensor)), to);
    box.to += box.shape[axis] * box.write[axis];
  }
  return mover.done();
}

// --- optionals

// Hands on what an input holds.
Status pass_on(Computation& c) {
  if (c.type(0) != ElementType::kNone) return c.give_reshaped(0, 0, c.shape(0));
  return c.give(0, *TRY(c.sequence(0)));
}

Status compute_optional(Computation& c) { return c.has(0) ? pass_on(c) : c.give(0, Datum()); }

Status compute_optional_has_element(Computation& c) {
  const auto y = TRY(c.make<bool>(0, {}));
  y[0] = c.has(0);
  return {};
}

Status compute_optional_get_element(Computation& c) {
  if (!c.has(0)) return Error{Code::kInvalid, "its optional is empty"};
  return pass_on(c);
}

}  // namespace

void add_sequences(Operators& operators) {
  operators.add("SequenceEmpty", compute_sequence_empty);
  operators.add("SequenceConstruct", compute_sequence_construct);
  operators.add("SequenceAt", compute_sequence_at);
  operators.add("SequenceInsert", compute_sequence_insert);
  operators.add("SequenceErase", compute_sequence_erase);
  operators.add("SequenceLength", compute_sequence_length);
  operators.add("SplitToSequence", compute_split_to_sequence);
  operators.add("ConcatFromSequence", compute_concat_from_sequence);
  operators.add("Optional", compute_optional);
  operators.add("OptionalHasElement", compute_optional_has_element);
  operators.add("OptionalGetElement", compute_optional_get_element);
}

}  // namespace casemate::engine
