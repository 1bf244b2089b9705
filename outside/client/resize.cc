// SPDX-License-Identifier: Apache-2.0
// Resizing, one axis after the other: each output pixel is a weighted sum of a run of input pixels.
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "outside/client/image.h"

namespace casemate::client {
namespace {

// Input pixels [first, first + weights.size()) make one output pixel; the weights add up to 1.
struct Taps {
  uint32_t first = 0;
  std::vector<float> weights;
};

// Shrinking: output pixel `at` covers an interval of input pixels, each counted by the part of it
// that is inside.
Taps averaging(uint32_t at, double ratio, uint32_t size) {
  const double begin = at * ratio;
  const double end = std::min<double>(begin + ratio, size);
  Taps taps{.first = static_cast<uint32_t>(begin), .weights = {}};
  for (uint32_t i = taps.first; i < size && i < end; ++i) {
    const double inside = std::min<double>(end, i + 1.0) - std::max<double>(begin, i);
    taps.weights.push_back(static_cast<float>(inside / (end - begin)));
  }
  return taps;
}

// Growing: the two input pixels whose centres are nearest, or the last one at an edge.
Taps interpolating(uint32_t at, double ratio, uint32_t size) {
  const double center = std::clamp((at + 0.5) * ratio - 0.5, 0.0, size - 1.0);
  const auto first = static_cast<uint32_t>(center);
  const auto part = static_cast<float>(center - first);
  if (first + 1 >= size) return {first, {1.0f}};
  return {first, {1.0f - part, part}};
}

std::vector<Taps> taps_of(uint32_t from, uint32_t to) {
  std::vector<Taps> taps;
  const double ratio = static_cast<double>(from) / to;
  for (uint32_t at = 0; at < to; ++at)
    taps.push_back(ratio > 1 ? averaging(at, ratio, from) : interpolating(at, ratio, from));
  return taps;
}

// One axis: `outer` blocks of `from` items of `inner` values each become blocks of `to` items.
std::vector<float> along(const std::vector<float>& values, size_t outer, uint32_t from, uint32_t to,
                         size_t inner) {
  const std::vector<Taps> all = taps_of(from, to);
  std::vector<float> result(outer * to * inner);
  for (size_t block = 0; block < outer; ++block) {
    for (uint32_t at = 0; at < to; ++at) {
      float* out = result.data() + (block * to + at) * inner;
      const Taps& taps = all[at];
      for (size_t tap = 0; tap < taps.weights.size(); ++tap) {
        const float* in = values.data() + (block * from + taps.first + tap) * inner;
        for (size_t i = 0; i < inner; ++i) out[i] += taps.weights[tap] * in[i];
      }
    }
  }
  return result;
}

}  // namespace

std::vector<float> resized(const Picture& picture, uint32_t width, uint32_t height) {
  CHECK(width > 0 && height > 0, "recipe_for() lets no empty size through");
  std::vector<float> values(picture.pixels.begin(), picture.pixels.end());
  const auto to_width = [&](uint32_t rows) {
    if (picture.width != width)
      values = along(values, rows, picture.width, width, picture.channels);
  };
  const auto to_height = [&](uint32_t columns) {
    if (picture.height != height)
      values = along(values, 1, picture.height, height, size_t{columns} * picture.channels);
  };
  // The way with the smaller picture in between, which is then no larger than the larger end: a
  // picture of 16 x 1,000,000 pixels never becomes 224 x 1,000,000.
  if (uint64_t{width} * picture.height <= uint64_t{picture.width} * height) {
    to_width(picture.height);
    to_height(width);
  } else {
    to_height(picture.width);
    to_width(height);
  }
  return values;
}

}  // namespace casemate::client
