// SPDX-License-Identifier: Apache-2.0
#pragma once
// Images [N,H,W,C] and windows over them, for our own convolutions; an image [N,W,C] has one line.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    shapes were checked on import.
//   Fails    a node whose window is none over H and W yields nothing.

#include <optional>

#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

struct ImageWindow {
  int64_t batch, groups;
  int64_t channels, outputs;  // of all groups
  int64_t height, width, out_height, out_width;
  int64_t kernel_h, kernel_w;
  int64_t stride_h, stride_w, dilation_h, dilation_w;
  int64_t pad_top, pad_left;

  // Lines and columns of the image, with padding, that the window reaches over.
  [[nodiscard]] int64_t reach_h(int64_t lines) const {
    return (lines - 1) * stride_h + (kernel_h - 1) * dilation_h + 1;
  }
  [[nodiscard]] int64_t reach_w() const {
    return (out_width - 1) * stride_w + (kernel_w - 1) * dilation_w + 1;
  }
  [[nodiscard]] bool padded() const {
    return pad_top > 0 || pad_left > 0 || reach_h(out_height) > height || reach_w() > width;
  }
};

// The window of a Conv in canonical form.
std::optional<ImageWindow> image_window(const KernelRequest& request);

// Copies lines of an image with what is around it, `around`: `lines` lines from line `first` on,
// which may lie outside, each `columns` columns. A channels-last source, of floats or bytes.
template <class T>
void copy_padded(const T* image, const ImageWindow& window, int64_t first, int64_t lines,
                 int64_t columns, T* to, T around = {});
// The same from an image [C,H,W].
template <class T>
void copy_padded_planes(const T* image, const ImageWindow& window, int64_t first, int64_t lines,
                        int64_t columns, T* to, T around = {});

}  // namespace casemate::engine
