// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/schedule.h"

#include <array>
#include <optional>
#include <tuple>

#include "base/format.h"

namespace casemate::npu {
namespace {

// A step takes some 60 bytes here and a few instructions of 16 bytes in the program.
constexpr size_t kStepsMax = 1 << 18;

std::vector<Span> cut(int64_t size, int64_t part) {
  std::vector<Span> spans;
  for (int64_t first = 0; first < size; first += part)
    spans.push_back({first, std::min(part, size - first)});
  return spans;
}

std::vector<Tile> tiles_of(const Convolution& c, const Tiling& tiling) {
  std::vector<Tile> areas;
  for (int64_t image = 0; image < c.batch; ++image) {
    for (const Span& rows : cut(c.height.output(), tiling.rows)) {
      for (const Span& columns : cut(c.width.output(), tiling.columns))
        areas.push_back({.image = image, .rows = rows, .columns = columns});
    }
  }
  const std::vector<Span> outputs = cut(c.output_blocks(), tiling.outputs);
  std::vector<Tile> tiles;
  tiles.reserve(areas.size() * outputs.size());
  const auto add = [&](Tile tile, const Span& span) {
    tile.outputs = span;
    tiles.push_back(tile);
  };
  if (tiling.weights_stay) {
    for (const Span& span : outputs) {
      for (const Tile& area : areas) add(area, span);
    }
  } else {
    for (const Tile& area : areas) {
      for (const Span& span : outputs) add(area, span);
    }
  }
  return tiles;
}

// What the halves of the buffers hold.
struct Held {
  using Pixels = std::tuple<int64_t, int64_t, int64_t, int64_t>;
  using Weights = std::tuple<int64_t, int64_t>;
  std::array<std::optional<Pixels>, 2> pixels;
  std::array<std::optional<Weights>, 2> weights;
  std::array<std::optional<int64_t>, 2> bias;
};

// Whether it was not held.
template <class T>
bool replaced(std::optional<T>& held, const T& wanted) {
  if (held == wanted) return false;
  held = wanted;
  return true;
}

}  // namespace

Result<Schedule> schedule(const Convolution& c, const Tiling& tiling, size_t depth) {
  const auto tiles = static_cast<uint64_t>(c.batch * parts(c.height.output(), tiling.rows) *
                                           parts(c.width.output(), tiling.columns) *
                                           parts(c.output_blocks(), tiling.outputs));
  const std::vector<Span> chunks = cut(c.input_blocks(), tiling.inputs);
  if (tiles > kStepsMax || tiles * chunks.size() > kStepsMax) {
    return Error{Code::kTooLarge,
                 formatted("{} tiles of {} steps; a program has at most {}: split the batch or the "
                           "image",
                           tiles, chunks.size(), kStepsMax)};
  }
  Schedule result{.tiles = tiles_of(c, tiling)};
  Held held;
  for (size_t t = 0; t < result.tiles.size(); ++t) {
    Tile& tile = result.tiles[t];
    tile.loads_bias = c.bias && replaced(held.bias[t % depth], tile.outputs.first);
    for (const Span& chunk : chunks) {
      const size_t slot = result.steps.size() % depth;
      result.steps.push_back(
          {.tile = t,
           .inputs = chunk,
           .first = chunk.first == 0,
           .last = chunk == chunks.back(),
           .loads_pixels =
               replaced(held.pixels[slot],
                        Held::Pixels(tile.image, tile.rows.first, tile.columns.first, chunk.first)),
           .loads_weights =
               replaced(held.weights[slot], Held::Weights(tile.outputs.first, chunk.first))});
    }
  }
  return result;
}

}  // namespace casemate::npu
