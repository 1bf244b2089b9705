// SPDX-License-Identifier: Apache-2.0
// Scan: a subgraph run for each slice of its inputs.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/body.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// One slice of a tensor along an axis, without that axis.
Result<Tensor> slice_at(const Tensor& tensor, size_t axis, int64_t index) {
  std::vector<int64_t> dims(tensor.shape().dims().begin(), tensor.shape().dims().end());
  uint64_t outer = 1;
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<uint64_t>(dims[i]);
  const auto extent = static_cast<uint64_t>(dims[axis]);
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  Tensor slice = TRY(Tensor::unset(tensor.type(), Shape(dims)));
  const uint64_t run = outer == 0 ? 0 : slice.bytes().size() / outer;
  const MutableBytes to = slice.mutable_bytes();
  for (uint64_t o = 0; o < outer && run > 0; ++o) {
    const uint64_t from = (o * extent + static_cast<uint64_t>(index)) * run;
    std::ranges::copy(tensor.bytes().subspan(from, run), to.subspan(o * run).begin());
  }
  return slice;
}

// What a Scan reads along: the tensors, the axis of each, and how many slices they have.
struct Scanned {
  std::vector<Tensor> tensors;
  std::vector<size_t> axes;
  std::vector<bool> backwards;
  int64_t length = 0;

  [[nodiscard]] Result<Tensor> slice(size_t i, int64_t trip) const {
    return slice_at(tensors[i], axes[i], backwards[i] ? length - 1 - trip : trip);
  }
};

int64_t entry(const std::vector<int64_t>& list, size_t index) {
  return index < list.size() ? list[index] : 0;
}

Result<Scanned> scanned(Computation& c, size_t first, size_t count) {
  Scanned scanned;
  const auto axes = c.attributes().integers("scan_input_axes");
  const auto directions = c.attributes().integers("scan_input_directions");
  for (size_t i = 0; i < count; ++i) {
    const Tensor& tensor = *TRY(c.tensor(first + i));
    const auto rank = static_cast<int64_t>(tensor.shape().rank());
    const int64_t axis = entry(axes, i) < 0 ? entry(axes, i) + rank : entry(axes, i);
    if (axis < 0 || axis >= rank || tensor.type() == ElementType::kString)
      return Error{Code::kInvalid, formatted("it cannot scan its input {} along axis {}", first + i,
                                             entry(axes, i))};
    const int64_t length = tensor.shape()[static_cast<size_t>(axis)];
    if (i > 0 && length != scanned.length)
      return Error{Code::kInvalid,
                   formatted("its inputs have {} and {} slices", scanned.length, length)};
    scanned.length = length;
    scanned.tensors.push_back(tensor);
    scanned.axes.push_back(static_cast<size_t>(axis));
    scanned.backwards.push_back(entry(directions, i) != 0);
  }
  return scanned;
}

Status give_scan(Computation& c, const Body& body, Gathered gathered) {
  const auto axes = c.attributes().integers("scan_output_axes");
  const auto directions = c.attributes().integers("scan_output_directions");
  const size_t states = gathered.carried.size();
  for (size_t i = 0; i < states; ++i) TRY(c.give(i, std::move(gathered.carried[i])));
  for (size_t i = 0; i < gathered.scans.size(); ++i) {
    TRY(c.give(states + i, gathered.scans[i].empty()
                               ? TRY(nothing_scanned(*body.graph, states + i, entry(axes, i)))
                               : TRY(stacked(c, gathered.scans[i], entry(axes, i),
                                             entry(directions, i) != 0))));
  }
  return {};
}

// Scan since operator set 9.
Status scan_once(Computation& c) {
  const size_t own = own_inputs(c, "body");
  const Body body = TRY(Body::of(c, "body", {own, c.output_count()}));
  const int64_t wanted = c.attributes().integer("num_scan_inputs", 0);
  if (wanted < 1 || static_cast<uint64_t>(wanted) > own)
    return Error{Code::kInvalid, formatted("it scans {} of its {} inputs", wanted, own)};
  const auto count = static_cast<size_t>(wanted);
  const size_t states = own - count;
  if (c.output_count() < states)
    return Error{Code::kInvalid, "it has fewer outputs than values that it carries"};
  const Scanned inputs = TRY(scanned(c, states, count));
  Gathered gathered{{}, std::vector<std::vector<Tensor>>(c.output_count() - states)};
  for (size_t i = 0; i < states; ++i) gathered.carried.push_back(TRY(datum_of(c, i)));
  for (int64_t trip = 0; trip < inputs.length; ++trip) {
    std::vector<Datum> given = gathered.carried;
    for (size_t i = 0; i < count; ++i) given.emplace_back(TRY(inputs.slice(i, trip)));
    TRY(gathered.take(c, TRY(body.run(c, std::move(given))), 0));
  }
  return give_scan(c, body, std::move(gathered));
}

// One item of a batch of sequences, for operator set 8.
Status scan_item(Computation& c, const Body& body, int64_t item, int64_t length, size_t states,
                 Gathered& gathered) {
  const size_t own = own_inputs(c, "body");
  const auto directions = c.attributes().integers("directions");
  for (size_t i = 0; i < states; ++i)
    gathered.carried.emplace_back(TRY(slice_at(*TRY(c.tensor(1 + i)), 0, item)));
  std::vector<Tensor> inputs;
  for (size_t i = 1 + states; i < own; ++i)
    inputs.push_back(TRY(slice_at(*TRY(c.tensor(i)), 0, item)));
  for (int64_t trip = 0; trip < length; ++trip) {
    std::vector<Datum> given = gathered.carried;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const bool backwards = entry(directions, i) != 0;
      given.emplace_back(TRY(slice_at(inputs[i], 0, backwards ? length - 1 - trip : trip)));
    }
    TRY(gathered.take(c, TRY(body.run(c, std::move(given))), 0));
  }
  return {};
}

// Scan of operator set 8: extent 0 is a batch, extent 1 what is scanned, and each item has its
// length.
Status scan_batch(Computation& c) {
  const size_t own = own_inputs(c, "body");
  const int64_t wanted = c.attributes().integer("num_scan_inputs", 0);
  if (wanted < 1 || static_cast<uint64_t>(wanted) + 1 > own)
    return Error{Code::kInvalid, formatted("it scans {} of its {} inputs", wanted, own)};
  const Body body = TRY(Body::of(c, "body", {own - 1, c.output_count()}));
  const size_t states = own - 1 - static_cast<size_t>(wanted);
  const Shape& first = c.shape(own - 1);
  if (first.rank() < 2 || first[0] < 1 || c.output_count() < states)
    return Error{Code::kInvalid, "it has no batch of sequences to scan"};
  for (size_t i = 1; i < own; ++i) {
    const Shape& shape = c.shape(i);
    const bool scans = i > states;
    if (shape.rank() < (scans ? 2u : 1u) || shape[0] != first[0] ||
        (scans && shape[1] != first[1]) || c.type(i) == ElementType::kString)
      return Error{Code::kInvalid,
                   formatted("its input {}, {} of shape {}, does not fit a batch of numbers of {}",
                             i, name_of(c.type(i)), shape.text(), first.text())};
  }
  const auto lengths = c.has(0) ? TRY(c.integers(0)) : std::vector<int64_t>();
  for (const int64_t length : lengths) {
    if (lengths.size() != static_cast<size_t>(first[0]) || length != first[1])
      return Error{Code::kUnsupported, "its sequences have different lengths: export a newer Scan"};
  }
  std::vector<std::vector<Tensor>> made(c.output_count());
  uint64_t bytes = 0;  // of all that is made
  for (int64_t item = 0; item < first[0]; ++item) {
    Gathered gathered{{}, std::vector<std::vector<Tensor>>(c.output_count() - states), bytes};
    TRY(scan_item(c, body, item, first[1], states, gathered));
    for (size_t i = 0; i < states; ++i) {
      if (gathered.carried[i].tensor() == nullptr)
        return Error{Code::kInvalid, "its body carries something that is no tensor"};
      made[i].push_back(*gathered.carried[i].tensor());
    }
    for (size_t i = states; i < made.size(); ++i) {
      const auto& slices = gathered.scans[i - states];
      made[i].push_back(slices.empty() ? TRY(nothing_scanned(*body.graph, i, 0))
                                       : TRY(stacked(c, slices, 0, false)));
    }
    for (const auto& items : made) bytes += sizeof(Tensor) + items.back().byte_count();
    TRY(c.hold(bytes));
  }
  for (size_t i = 0; i < made.size(); ++i) TRY(c.give(i, TRY(stacked(c, made[i], 0, false))));
  return {};
}

Status compute_scan(Computation& c) { return c.since(9) ? scan_once(c) : scan_batch(c); }

}  // namespace

void add_scan(Operators& operators) { operators.add("Scan", compute_scan); }

}  // namespace casemate::engine
