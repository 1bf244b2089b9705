// SPDX-License-Identifier: Apache-2.0
// Pad: a tensor with more, or less, around it.
#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

enum class Filling : uint8_t { kConstant, kReflect, kEdge, kWrap };

Result<Filling> stated_filling(const Computation& c) {
  const std::string mode = c.attributes().text("mode", "constant");
  if (mode == "constant") return Filling::kConstant;
  if (mode == "reflect") return Filling::kReflect;
  if (mode == "edge") return Filling::kEdge;
  if (mode == "wrap" && c.since(19)) return Filling::kWrap;
  return Error{Code::kUnsupported, formatted("there is no padding of mode '{}'", mode)};
}

// One axis: what negative pads leave of the input's extent, and where that stands in the output.
struct PaddedAxis {
  int64_t first = 0;   // in the input
  int64_t extent = 0;  // of what is left
  int64_t before = 0;  // of the output
  int64_t count = 0;   // the output's extent
};

Result<PaddedAxis> padded(int64_t extent, int64_t begin, int64_t end, Filling filling) {
  PaddedAxis axis{.first = begin < 0 ? TRY(product_of(begin, -1)) : 0,
                  .before = std::max<int64_t>(begin, 0)};
  const int64_t cropped = TRY(sum_of(std::min<int64_t>(begin, 0), std::min<int64_t>(end, 0)));
  axis.extent = TRY(sum_of(extent, cropped));
  if (axis.extent < 0) {
    return Error{Code::kInvalid,
                 formatted("pads of {} and {} cut more than an extent of {}", begin, end, extent)};
  }
  const int64_t added = TRY(sum_of(axis.before, std::max<int64_t>(end, 0)));
  axis.count = TRY(sum_of(axis.extent, added));
  if (axis.extent == 0 && added != 0 && filling != Filling::kConstant)
    return Error{Code::kInvalid, "there is nothing in an empty axis to pad it with"};
  return axis;
}

// The position in the input whose elements stand at that one of the output; -1: the constant's.
int64_t source_of(const PaddedAxis& axis, int64_t position, Filling filling) {
  const int64_t n = axis.extent;
  int64_t i = position - axis.before;
  if (i < 0 || i >= n) {
    if (filling == Filling::kConstant) return -1;
    if (filling == Filling::kEdge || n == 1) {
      i = std::clamp<int64_t>(i, 0, n - 1);
    } else {
      // Mirrored images follow one another without their edges being repeated.
      const int64_t period = filling == Filling::kWrap ? n : 2 * (n - 1);
      i = (i % period + period) % period;
      if (i >= n) i = period - i;
    }
  }
  return axis.first + i;
}

template <class E>
struct Padding {
  std::vector<PaddedAxis> axes;  // up to the last that is padded
  Steps read{};
  Steps write{};
  Filling filling = Filling::kConstant;
  E constant{};

  void fill(size_t axis, const E* x, E* y) const {
    const PaddedAxis& here = axes[axis];
    for (int64_t i = 0; i < here.count; ++i, y += write[axis]) {
      const int64_t source = source_of(here, i, filling);
      if (source < 0) {
        std::fill_n(y, write[axis], constant);
      } else if (axis + 1 < axes.size()) {
        fill(axis + 1, x + source * read[axis], y);
      } else {
        // What was not cut stands in one run.
        const int64_t run = i == here.before ? here.extent : 1;
        y = std::copy_n(x + source * read[axis], run * write[axis], y) - write[axis];
        i += run - 1;
      }
    }
  }
};

// Pads for all axes: those before, in order, then those behind.
Result<std::vector<int64_t>> stated_pads(Computation& c) {
  const uint32_t rank = c.shape(0).rank();
  std::vector<int64_t> stated;
  if (c.since(11)) {
    stated = TRY(c.integers(1));
  } else {
    stated = c.attributes().integers(c.since(2) ? "pads" : "paddings");
  }
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (c.has(3)) axes = TRY(c.integers(3));
  const auto meant = TRY(axes_of(axes, rank));
  if (stated.size() != 2 * meant.size()) {
    return Error{Code::kInvalid,
                 formatted("it has {} pads for {} axes", stated.size(), meant.size())};
  }
  std::vector<int64_t> pads(size_t{2} * rank);
  for (size_t i = 0; i < meant.size(); ++i) {
    pads[meant[i]] = stated[i];
    pads[meant[i] + rank] = stated[i + meant.size()];
  }
  return pads;
}

// The constant, of the type of what is padded.
Result<Tensor> stated_constant(Computation& c) {
  if (c.since(11)) {
    if (!c.has(2)) return Tensor::zeros(c.type(0), {});
    const Tensor* constant = TRY(c.tensor(2));
    if (constant->count() != 1) {
      return Error{Code::kInvalid,
                   formatted("it has {} constants to pad with, it takes one", constant->count())};
    }
    return *constant;
  }
  Result<Tensor> constant = Tensor::zeros(c.type(0), {});
  TRY(for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    constant = Tensor::of<T>({}, {static_cast<T>(c.attributes().real("value", 0))});
    return {};
  }));
  return constant;
}

Status compute_pad(Computation& c) {
  const Shape& x = c.shape(0);
  const uint32_t rank = x.rank();
  const Filling filling = TRY(stated_filling(c));
  const auto pads = TRY(stated_pads(c));
  std::vector<PaddedAxis> axes;
  Shape shape = x;
  size_t used = std::min<size_t>(rank, 1);
  for (uint32_t i = 0; i < rank; ++i) {
    axes.push_back(TRY(padded(x[i], pads[i], pads[i + rank], filling)));
    shape[i] = axes.back().count;
    if (pads[i] != 0 || pads[i + rank] != 0) used = i + 1;
  }
  axes.resize(used);
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  const Tensor constant = TRY(stated_constant(c));
  Mover mover(c, c.type(0));
  const uint8_t* from = TRY(mover.from(0));
  const uint8_t* fill = TRY(mover.from(constant));
  uint8_t* to = mover.to(y);
  return for_width(mover.width(), [&]<class E>() -> Status {
    const Padding<E> padding{.axes = axes,
                             .read = dense_steps(x),
                             .write = dense_steps(shape),
                             .filling = filling,
                             .constant = *elements_at<E>(fill)};
    if (rank == 0) {
      *elements_at<E>(to) = *elements_at<E>(from);
    } else if (count_of(shape) != 0) {
      padding.fill(0, elements_at<E>(from), elements_at<E>(to));
    }
    return mover.done();
  });
}

}  // namespace

void add_pad(Operators& operators) { operators.add("Pad", compute_pad); }

}  // namespace casemate::engine
