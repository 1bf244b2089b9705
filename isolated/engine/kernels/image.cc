// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/image.h"

#include <algorithm>
#include <cstring>

#include "isolated/engine/kernels/window.h"

namespace casemate::engine {

std::optional<ImageWindow> image_window(const KernelRequest& request) {
  const Shape& in = request.input_shape(0);
  const Shape& out = request.output_shape();
  if (in.rank() != 3 && in.rank() != 4) return std::nullopt;
  const Window window = window_of(request.node, in, out);
  const bool flat = in.rank() == 3;
  const auto of = [&](const dnnl::memory::dims& dims, bool vertical, int64_t otherwise) {
    if (flat) return vertical ? otherwise : dims[0];
    return vertical ? dims[0] : dims[1];
  };
  ImageWindow made{};
  made.batch = in[0];
  made.groups = request.node.attributes.integer("group", 1);
  made.channels = in[1];
  made.outputs = out[1];
  made.height = flat ? 1 : in[2];
  made.width = flat ? in[2] : in[3];
  made.out_height = flat ? 1 : out[2];
  made.out_width = flat ? out[2] : out[3];
  made.kernel_h = of(window.kernel, true, 1);
  made.kernel_w = of(window.kernel, false, 1);
  made.stride_h = of(window.strides, true, 1);
  made.stride_w = of(window.strides, false, 1);
  made.dilation_h = of(window.dilations, true, 0) + 1;
  made.dilation_w = of(window.dilations, false, 0) + 1;
  made.pad_top = of(window.pads_begin, true, 0);
  made.pad_left = of(window.pads_begin, false, 0);
  if (made.pad_top < 0 || made.pad_left < 0) return std::nullopt;
  return made;
}

namespace {

// Which of `columns` columns lie inside the image: [begin, end).
struct Inside {
  int64_t begin, end;
};
Inside inside(const ImageWindow& window, int64_t columns) {
  const int64_t begin = std::min(window.pad_left, columns);
  return {begin, std::clamp(window.width + window.pad_left, begin, columns)};
}

}  // namespace

template <class T>
void copy_padded(const T* image, const ImageWindow& window, int64_t first, int64_t lines,
                 int64_t columns, T* to, T around) {
  const int64_t channels = window.channels;
  const auto [begin, end] = inside(window, columns);
  for (int64_t line = first; line < first + lines; ++line, to += columns * channels) {
    if (line < 0 || line >= window.height) {
      std::fill_n(to, columns * channels, around);
      continue;
    }
    std::fill_n(to, begin * channels, around);
    std::copy_n(image + line * window.width * channels, (end - begin) * channels,
                to + begin * channels);
    std::fill_n(to + end * channels, (columns - end) * channels, around);
  }
}

namespace {

// Pixels side by side of planes, written in order. kChannels: 0 for any number of them.
template <int kChannels, class T>
void interleave(const T* from, int64_t plane, int64_t count, int64_t channels, T* to) {
  const int64_t step = kChannels == 0 ? channels : kChannels;
  for (int64_t w = 0; w < count; ++w, to += step) {
    for (int64_t c = 0; c < step; ++c) to[c] = from[c * plane + w];
  }
}

template <class T>
void interleave_any(const T* from, int64_t plane, int64_t count, int64_t channels, T* to) {
  switch (channels) {
    case 1:
      std::copy_n(from, count, to);
      return;
    case 2:
      return interleave<2>(from, plane, count, channels, to);
    case 3:
      return interleave<3>(from, plane, count, channels, to);
    case 4:
      return interleave<4>(from, plane, count, channels, to);
    default:
      return interleave<0>(from, plane, count, channels, to);
  }
}

}  // namespace

template <class T>
void copy_padded_planes(const T* image, const ImageWindow& window, int64_t first, int64_t lines,
                        int64_t columns, T* to, T around) {
  const int64_t channels = window.channels;
  const int64_t plane = window.height * window.width;
  const auto [begin, end] = inside(window, columns);
  for (int64_t line = first; line < first + lines; ++line, to += columns * channels) {
    if (line < 0 || line >= window.height) {
      std::fill_n(to, columns * channels, around);
      continue;
    }
    std::fill_n(to, begin * channels, around);
    interleave_any(image + line * window.width, plane, end - begin, channels,
                   to + begin * channels);
    std::fill_n(to + end * channels, (columns - end) * channels, around);
  }
}

template void copy_padded(const float*, const ImageWindow&, int64_t, int64_t, int64_t, float*,
                          float);
template void copy_padded(const uint8_t*, const ImageWindow&, int64_t, int64_t, int64_t, uint8_t*,
                          uint8_t);
template void copy_padded_planes(const float*, const ImageWindow&, int64_t, int64_t, int64_t,
                                 float*, float);
template void copy_padded_planes(const uint8_t*, const ImageWindow&, int64_t, int64_t, int64_t,
                                 uint8_t*, uint8_t);

}  // namespace casemate::engine
