// SPDX-License-Identifier: Apache-2.0
#pragma once
// Picture: 8-bit pixels, grey or RGB, rows from the top, as a viewer would show them.
//
//   Owns     its pixels.
//   Threads  pure functions.
//   Trust    files may be hostile: libpng decodes them, sizes are checked before memory is taken.
//   Fails    kInvalid for a broken PNG, kTooLarge beyond kPixelsMax.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::client {

struct Picture {
  // 64 MiB as RGBA while it is decoded; 8192 x 2048, or a 16-megapixel photo.
  static constexpr uint64_t kPixelsMax = 16 << 20;

  uint32_t width = 0;
  uint32_t height = 0;
  uint32_t channels = 1;  // 1: grey, 3: RGB
  std::vector<uint8_t> pixels;
};

// Any PNG: palettes are resolved, 16 bits reduced to 8, transparency laid on white paper.
Result<Picture> read_png(Bytes file);

// Grey as ITU-R BT.601 weighs it, from RGB; three equal channels from grey.
Picture with_channels(const Picture& picture, uint32_t channels);

}  // namespace casemate::client
