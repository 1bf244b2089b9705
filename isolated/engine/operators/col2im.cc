// SPDX-License-Identifier: Apache-2.0
// Col2Im: blocks of an image, one per column, put back and summed where they overlap.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/mover.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// One axis of the image.
struct Blocks {
  int64_t extent = 0;    // of the image
  int64_t block = 0;     // elements of a block
  int64_t dilation = 1;  // between its elements
  int64_t stride = 1;    // between blocks
  int64_t before = 0;    // padding
  int64_t count = 0;     // of blocks
};

Result<std::vector<Blocks>> stated_blocks(Computation& c) {
  const auto image = TRY(c.integers(1));
  const auto block = TRY(c.integers(2));
  const size_t n = image.size();
  const auto list = [&](const char* name, size_t count, int64_t otherwise) {
    return c.attributes().has(name) ? c.attributes().integers(name)
                                    : std::vector<int64_t>(count, otherwise);
  };
  const auto dilations = list("dilations", n, 1);
  const auto strides = list("strides", n, 1);
  const auto pads = list("pads", 2 * n, 0);
  if (n == 0 || n + 2 > limits::kRank || block.size() != n || dilations.size() != n ||
      strides.size() != n || pads.size() != 2 * n) {
    return Error{Code::kInvalid,
                 formatted("an image of {} axes has {} of a block, {} dilations, {} strides and "
                           "{} pads",
                           n, block.size(), dilations.size(), strides.size(), pads.size())};
  }
  std::vector<Blocks> axes;
  for (size_t i = 0; i < n; ++i) {
    Blocks axis{.extent = image[i],
                .block = block[i],
                .dilation = dilations[i],
                .stride = strides[i],
                .before = pads[i]};
    if (axis.extent < 1 || axis.block < 1 || axis.dilation < 1 || axis.stride < 1 || pads[i] < 0 ||
        pads[n + i] < 0)
      return Error{Code::kInvalid, formatted("an extent, stride, dilation or pad of axis {} has "
                                             "no meaning",
                                             i)};
    const int64_t span = TRY(product_of(axis.dilation, axis.block - 1));
    const int64_t padded = TRY(sum_of(axis.extent, TRY(sum_of(pads[i], pads[n + i]))));
    if (span >= padded) {
      return Error{Code::kInvalid,
                   formatted("a block is larger than the padded image along axis {}", i)};
    }
    axis.count = (padded - span - 1) / axis.stride + 1;
    axes.push_back(axis);
  }
  return axes;
}

// Adds one element of every block, each time the same one, to an image. `x` has one per block.
template <class T>
struct Summation {
  std::span<const Blocks> axes;
  Steps steps{};    // of the image
  Steps columns{};  // of the blocks
  Steps at{};       // the element in its block

  void add(size_t axis, const Stored<T>* x, Stored<T>* y) const {
    const Blocks& here = axes[axis];
    for (int64_t i = 0; i < here.count; ++i, x += columns[axis]) {
      const int64_t position = i * here.stride - here.before + at[axis] * here.dilation;
      if (position < 0 || position >= here.extent) continue;
      Stored<T>* target = y + position * steps[axis];
      if (axis + 1 < axes.size()) {
        add(axis + 1, x, target);
      } else if constexpr (std::is_same_v<T, bool>) {
        *target = *target != 0 || *x != 0;
      } else {
        *target = static_cast<T>(static_cast<Wrapping<T>>(*target) + static_cast<Wrapping<T>>(*x));
      }
    }
  }
};

// The shapes of one image, of the elements of a block and of the blocks.
struct Extents {
  Shape image;
  Shape block;
  Shape blocks;
};

Result<Extents> extents_of(std::span<const Blocks> axes) {
  std::vector<int64_t> image;
  std::vector<int64_t> block;
  std::vector<int64_t> blocks;
  for (const Blocks& axis : axes) {
    image.push_back(axis.extent);
    block.push_back(axis.block);
    blocks.push_back(axis.count);
  }
  return Extents{TRY(shape_of(image)), TRY(shape_of(block)), TRY(shape_of(blocks))};
}

Status compute_col2im(Computation& c) {
  const auto axes = TRY(stated_blocks(c));
  const Extents extents = TRY(extents_of(axes));
  const int64_t elements = count_of(extents.block);
  const int64_t columns = count_of(extents.blocks);
  const Shape& x = c.shape(0);
  if (x.rank() != 3 || x[1] % elements != 0 || x[2] != columns) {
    return Error{Code::kInvalid, formatted("shape {} does not hold {} blocks of {} elements",
                                           x.text(), columns, elements)};
  }
  std::vector<int64_t> dims = {x[0], x[1] / elements};
  dims.insert(dims.end(), extents.image.dims().begin(), extents.image.dims().end());
  const Shape shape = TRY(shape_of(dims));
  Tensor& y = *TRY(c.make(0, c.type(0), shape));
  return for_type(NumbersAndBool{}, c.type(0), [&]<class T>() -> Status {
    const Stored<T>* from = TRY(stored<T>(c, 0)).data();
    Stored<T>* to = elements_at<Stored<T>>(y.mutable_bytes().data());
    std::fill_n(to, y.count(), Stored<T>{});
    Summation<T> sum{
        .axes = axes, .steps = dense_steps(extents.image), .columns = dense_steps(extents.blocks)};
    for (int64_t image = 0; image < x[0] * dims[1]; ++image, to += count_of(extents.image)) {
      for (int64_t element = 0; element < elements; ++element, from += columns) {
        for (int64_t i = static_cast<int64_t>(axes.size()), rest = element; i-- > 0;) {
          const int64_t extent = axes[static_cast<size_t>(i)].block;
          sum.at[static_cast<size_t>(i)] = rest % extent;
          rest /= extent;
        }
        sum.add(0, from, to);
      }
    }
    return {};
  });
}

}  // namespace

void add_col2im(Operators& operators) { operators.add("Col2Im", compute_col2im); }

}  // namespace casemate::engine
