// SPDX-License-Identifier: Apache-2.0
#pragma once
// Depth-wise convolutions, one filter for each channel, channels last in and out, by loops of our
// own. They are bound by memory more than by arithmetic, so a line of results is made of lines that
// are still in a near cache.

#include "isolated/engine/kernels/epilogue.h"
#include "isolated/engine/kernels/image.h"
#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/kernels/vector_loops.h"

namespace casemate::engine {

// Lines of results of one convolution, and the lines of images that they are made of.
class DepthwiseLines final {
 public:
  // Packs weights [C,1,KH,KW] and bias [C], if there is one. Requires: `window` has one filter for
  // each channel; pixels lie `in_step` floats apart, results `out_step`.
  static Result<DepthwiseLines> make(Packer& packer, const ImageWindow& window,
                                     const Tensor& weights, const Tensor* bias,
                                     const gemm::Epilogue& epilogue, int64_t in_step,
                                     int64_t out_step);

  // Line `index` of the results of all images. `lines` is room for kernel_h pointers.
  void run(const float* source, int64_t index, const float** lines, float* out) const;

 private:
  ImageWindow window_ = {};
  DepthwiseLine line_ = {};
};

// None for a node that it does not take: several channels or filters in a group, weights that are
// computed, a sum with another value.
Result<std::unique_ptr<Kernel>> make_depthwise_convolution(const KernelRequest& request);

}  // namespace casemate::engine
