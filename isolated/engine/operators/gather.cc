// SPDX-License-Identifier: Apache-2.0
// Operators that pick elements by their indices. All indices are checked before any is used.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/indices.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// Copies runs of elements, `count` of them at a time. `at(i, j)` tells where in the input the j-th
// run begins of the i-th time.
template <class At>
Status move_runs(Computation& c, Tensor& y, int64_t count, int64_t run, At at) {
  if (y.count() == 0) return {};
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  uint8_t* to = mover.to(y);
  const int64_t outer = static_cast<int64_t>(y.count()) / (count * run);
  for_width(mover.width(), [&]<class E>() {
    const E* in = elements_at<E>(from);
    E* out = elements_at<E>(to);
    for (int64_t i = 0; i < outer; ++i) {
      if (run == 1) {
        for (int64_t j = 0; j < count; ++j) *out++ = in[at(i, j)];
      } else {
        for (int64_t j = 0; j < count; ++j) out = std::copy_n(in + at(i, j), run, out);
      }
    }
  });
  return mover.done();
}

Status compute_gather(Computation& c) {
  const Shape& x = c.shape(0);
  const uint32_t axis = TRY(axis_of(c.attributes().integer("axis", 0), x.rank()));
  std::vector<int64_t> extents(x.dims().begin(), x.dims().begin() + axis);
  extents.insert(extents.end(), c.shape(1).dims().begin(), c.shape(1).dims().end());
  extents.insert(extents.end(), x.dims().begin() + axis + 1, x.dims().end());
  Tensor& y = *TRY(c.make(0, c.type(0), TRY(shape_of(extents))));
  const Indices indices = TRY(Indices::of(c, 1));
  const int64_t extent = x[axis];
  TRY(indices.within(extent));
  const int64_t run = count_of(x, axis + 1, x.rank());
  const auto count = static_cast<int64_t>(indices.count());
  return move_runs(c, y, count, run, [&](int64_t i, int64_t j) {
    return (i * extent + indices.at(static_cast<size_t>(j), extent)) * run;
  });
}

Status compute_gather_elements(Computation& c) {
  const Shape& x = c.shape(0);
  const Shape& picks = c.shape(1);
  const uint32_t axis = TRY(axis_of(c.attributes().integer("axis", 0), x.rank()));
  bool fits = picks.rank() == x.rank();
  for (uint32_t i = 0; fits && i < x.rank(); ++i) fits = i == axis || picks[i] <= x[i];
  if (!fits) {
    return Error{Code::kInvalid, formatted("indices of shape {} do not fit data of shape {}",
                                           picks.text(), x.text())};
  }
  Tensor& y = *TRY(c.make(0, c.type(0), picks));
  const Indices indices = TRY(Indices::of(c, 1));
  TRY(indices.within(x[axis]));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  uint8_t* to = mover.to(y);
  Steps steps = dense_steps(x);
  const int64_t along = steps[axis];
  steps[axis] = 0;
  const int64_t next = steps[x.rank() - 1];
  for_width(mover.width(), [&]<class E>() {
    const E* in = elements_at<E>(from);
    E* out = elements_at<E>(to);
    size_t i = 0;
    for_each_row(picks, std::array<Steps, 1>{steps}, [&](const auto& offsets, int64_t columns) {
      for (int64_t j = 0; j < columns; ++j, ++i)
        out[i] = in[offsets[0] + j * next + indices.at(i, x[axis]) * along];
    });
  });
  return mover.done();
}

Status compute_gather_nd(Computation& c) {
  const Shape& x = c.shape(0);
  const Shape& picks = c.shape(1);
  const int64_t stated = c.attributes().integer("batch_dims", 0);
  if (picks.rank() == 0 || stated < 0 || stated >= std::min(x.rank(), picks.rank()) ||
      !std::ranges::equal(x.dims().first(static_cast<size_t>(stated)),
                          picks.dims().first(static_cast<size_t>(stated)))) {
    return Error{Code::kInvalid,
                 formatted("shapes {} and {} have not {} batch dimensions and more in common",
                           x.text(), picks.text(), stated)};
  }
  const auto batch_rank = static_cast<size_t>(stated);
  const int64_t length = picks[picks.rank() - 1];
  if (length < 1 || length > static_cast<int64_t>(x.rank() - batch_rank)) {
    return Error{Code::kInvalid,
                 formatted("index tuples of {} do not fit data of shape {}", length, x.text())};
  }
  const size_t first = batch_rank + static_cast<size_t>(length);  // axis that is not indexed
  std::vector<int64_t> extents(picks.dims().begin(), picks.dims().end() - 1);
  extents.insert(extents.end(), x.dims().begin() + static_cast<std::ptrdiff_t>(first),
                 x.dims().end());
  Tensor& y = *TRY(c.make(0, c.type(0), TRY(shape_of(extents))));
  const Indices indices = TRY(Indices::of(c, 1));
  for (size_t i = 0; i < indices.count(); ++i) {
    const size_t axis = batch_rank + i % static_cast<size_t>(length);
    if (!Indices::inside(indices[i], x[axis])) return Indices::outside(indices[i], x[axis]);
  }
  const Steps steps = dense_steps(x);
  const int64_t batch = count_of(x, batch_rank, x.rank());
  const int64_t tuples = count_of(picks, batch_rank, picks.rank() - 1);  // in a batch
  return move_runs(c, y, tuples, count_of(x, first, x.rank()), [&](int64_t i, int64_t j) {
    int64_t offset = i * batch;
    auto next = static_cast<size_t>((i * tuples + j) * length);
    for (size_t axis = batch_rank; axis < first; ++axis, ++next)
      offset += indices.at(next, x[axis]) * steps[axis];
    return offset;
  });
}

// Along the last axis; of a vector it makes a row.
Status compute_array_feature_extractor(Computation& c) {
  const Shape& x = c.shape(0);
  if (x.rank() == 0) return Error{Code::kInvalid, "its input is a scalar"};
  const int64_t features = x[x.rank() - 1];
  const auto count = static_cast<int64_t>(TRY(c.shape(1).element_count()));
  const Shape wide = x.rank() == 1 ? Shape{1, features} : x;
  const Shape shape = TRY(with_extent(wide, wide.rank() - 1, count));
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  const Indices indices = TRY(Indices::of(c, 1));
  for (size_t i = 0; i < indices.count(); ++i) {
    // Nothing says that they count from the end when they are negative.
    if (indices[i] < 0 || indices[i] >= features) {
      return Error{Code::kInvalid,
                   formatted("index {} is none of {} features", indices[i], features)};
    }
  }
  return move_runs(c, y, count, 1, [&](int64_t i, int64_t j) {
    return i * features + indices[static_cast<size_t>(j)];
  });
}

}  // namespace

void add_gather(Operators& operators) {
  operators.add("Gather", compute_gather);
  operators.add("GatherElements", compute_gather_elements);
  operators.add("GatherND", compute_gather_nd);
  operators.add("ai.onnx.ml:ArrayFeatureExtractor", compute_array_feature_extractor);
}

}  // namespace casemate::engine
