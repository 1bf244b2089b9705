// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: operators as their definitions read, in double precision, without a thought for speed.

#include <limits>

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

// Calls f(index) for every index of the shape, in row-major order.
template <class F>
void for_each_index(const std::vector<int64_t>& shape, F f) {
  std::vector<int64_t> index(shape.size(), 0);
  for (const int64_t extent : shape) {
    if (extent == 0) return;
  }
  for (;;) {
    f(index);
    size_t axis = shape.size();
    for (;;) {
      if (axis == 0) return;
      --axis;
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

inline size_t flat(const Shape& shape, const std::vector<int64_t>& index) {
  size_t position = 0;
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    position = position * static_cast<size_t>(shape[i]) + static_cast<size_t>(index[i]);
  }
  return position;
}

inline std::vector<int64_t> dims_of(const Shape& shape) {
  return {shape.dims().begin(), shape.dims().end()};
}

struct ReferenceWindow {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

inline ReferenceWindow reference_window(const Attributes& attributes, size_t spatial) {
  const auto list = [&](const char* name, size_t size, int64_t otherwise) {
    auto values = attributes.integers(name);
    if (values.empty()) values.assign(size, otherwise);
    return values;
  };
  return {list("kernel_shape", spatial, 1), list("strides", spatial, 1),
          list("dilations", spatial, 1), list("pads", 2 * spatial, 0)};
}

// Where kernel cell k of output cell o reads; false in the padding.
inline bool source_index(const ReferenceWindow& window, const Shape& input,
                         const std::vector<int64_t>& output, const std::vector<int64_t>& cell,
                         std::vector<int64_t>& source) {
  for (size_t i = 0; i < cell.size(); ++i) {
    const int64_t at =
        output[i + 2] * window.strides[i] + cell[i] * window.dilations[i] - window.pads[i];
    if (at < 0 || at >= input[i + 2]) return false;
    source[i + 2] = at;
  }
  return true;
}

inline std::vector<double> reference_convolution(const Tensor& x, const Tensor& w,
                                                 const Tensor* bias, const Attributes& attributes,
                                                 const Shape& output) {
  const Shape& input = x.shape();
  const ReferenceWindow window = reference_window(attributes, input.rank() - 2);
  const int64_t groups = attributes.integer("group", 1);
  const std::vector<int64_t> kernel(w.shape().dims().begin() + 2, w.shape().dims().end());
  const auto inputs = x.values<float>();
  const auto weights = w.values<float>();
  std::vector<double> result;
  // Here, since sanitizers make much of memory that comes and goes.
  std::vector<int64_t> source(input.rank());
  std::vector<int64_t> weight(w.shape().rank());
  for_each_index(dims_of(output), [&](const std::vector<int64_t>& o) {
    double sum = bias == nullptr ? 0 : bias->values<float>()[static_cast<size_t>(o[1])];
    const int64_t group = o[1] / (output[1] / groups);
    for (int64_t c = 0; c < w.shape()[1]; ++c) {
      for_each_index(kernel, [&](const std::vector<int64_t>& cell) {
        source[0] = o[0];
        source[1] = group * w.shape()[1] + c;
        if (!source_index(window, input, o, cell, source)) return;
        weight[0] = o[1];
        weight[1] = c;
        std::ranges::copy(cell, weight.begin() + 2);
        sum += static_cast<double>(inputs[flat(input, source)]) * weights[flat(w.shape(), weight)];
      });
    }
    result.push_back(sum);
  });
  return result;
}

// Max, or the mean over cells inside the input, or over all cells of the kernel.
enum class ReferencePool { kMax, kMeanInside, kMeanAll };

inline std::vector<double> reference_pool(const Tensor& x, ReferencePool kind,
                                          const Attributes& attributes, const Shape& output) {
  const Shape& input = x.shape();
  const ReferenceWindow window = reference_window(attributes, input.rank() - 2);
  std::vector<double> result;
  for_each_index(dims_of(output), [&](const std::vector<int64_t>& o) {
    double best = -std::numeric_limits<double>::infinity();
    double sum = 0;
    int64_t inside = 0;
    int64_t all = 0;
    for_each_index(window.kernel, [&](const std::vector<int64_t>& cell) {
      ++all;
      std::vector<int64_t> source(input.rank());
      source[0] = o[0];
      source[1] = o[1];
      if (!source_index(window, input, o, cell, source)) return;
      const double value = x.values<float>()[flat(input, source)];
      ++inside;
      sum += value;
      best = std::max(best, value);
    });
    if (kind == ReferencePool::kMax) result.push_back(best);
    if (kind == ReferencePool::kMeanInside) result.push_back(sum / static_cast<double>(inside));
    if (kind == ReferencePool::kMeanAll) result.push_back(sum / static_cast<double>(all));
  });
  return result;
}

// The extents of the output of a window over an image.
inline Shape window_output(const Shape& input, int64_t channels, const Attributes& attributes,
                           std::vector<int64_t> kernel) {
  const ReferenceWindow window = reference_window(attributes, input.rank() - 2);
  Shape output = input;
  output[1] = channels;
  for (size_t i = 0; i < kernel.size(); ++i) {
    const int64_t reach = (kernel[i] - 1) * window.dilations[i] + 1;
    output[i + 2] = (input[i + 2] + window.pads[i] + window.pads[i + kernel.size()] - reach) /
                        window.strides[i] +
                    1;
  }
  return output;
}

// Index of the element that broadcasting reads for `index` of a result.
inline size_t broadcast_flat(const Shape& shape, const std::vector<int64_t>& index) {
  std::vector<int64_t> own;
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    own.push_back(shape[i] == 1 ? 0 : index[i + index.size() - shape.rank()]);
  }
  return flat(shape, own);
}

template <class F>
std::vector<double> reference_binary(const Tensor& a, const Tensor& b, const Shape& output, F f) {
  std::vector<double> result;
  for_each_index(dims_of(output), [&](const std::vector<int64_t>& index) {
    result.push_back(f(static_cast<double>(a.values<float>()[broadcast_flat(a.shape(), index)]),
                       static_cast<double>(b.values<float>()[broadcast_flat(b.shape(), index)])));
  });
  return result;
}

// [batch..., M, K] x [batch..., K, N] with broadcast batches.
inline std::vector<double> reference_matmul(const Tensor& a, const Tensor& b, const Shape& output) {
  const auto inner = a.shape()[a.shape().rank() - 1];
  std::vector<double> result;
  for_each_index(dims_of(output), [&](const std::vector<int64_t>& index) {
    double sum = 0;
    std::vector<int64_t> left = index;
    std::vector<int64_t> right = index;
    for (int64_t k = 0; k < inner; ++k) {
      left[left.size() - 1] = k;
      right[right.size() - 2] = k;
      sum += static_cast<double>(a.values<float>()[broadcast_flat(a.shape(), left)]) *
             b.values<float>()[broadcast_flat(b.shape(), right)];
    }
    result.push_back(sum);
  });
  return result;
}

}  // namespace casemate::engine
