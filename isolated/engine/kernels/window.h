// SPDX-License-Identifier: Apache-2.0
#pragma once
// Window: how a kernel slides over the spatial dimensions of an image, for convolution and pooling.

#include <oneapi/dnnl/dnnl.hpp>

#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

struct Window {
  dnnl::memory::dims kernel;
  dnnl::memory::dims strides;
  dnnl::memory::dims dilations;  // oneDNN's: gaps, one less than ONNX's
  dnnl::memory::dims pads_begin;
  dnnl::memory::dims pads_end;   // as declared
  dnnl::memory::dims reach_end;  // more than declared where the output's extent was rounded up
};

// The window of a node whose attributes are explicit: kernel_shape, strides, dilations, pads.
// `input` and `output` are [N,C,spatial...].
Window window_of(const Node& node, const Shape& input, const Shape& output);

}  // namespace casemate::engine
