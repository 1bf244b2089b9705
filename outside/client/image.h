// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a picture to a model's input: colour, size, numbers.
//
//   value = (pixel * scale - mean) / std      per channel, pixel 0..255
//
// A model says how in its metadata's properties; a user may say so instead:
//
//   casemate.input.image.size    "28x28": width x height; else the input's own extents
//   casemate.input.image.color   "grey" or "rgb"; else the input's number of channels
//   casemate.input.image.scale   default 1/255
//   casemate.input.image.mean    one number, or one per channel; default 0
//   casemate.input.image.std     the same; default 1
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    properties come from a model's owner and may be nonsense: all are range-checked.
//   Fails    kInvalid or kUnsupported with the property or the shape that is in the way.

#include <array>
#include <map>
#include <string>

#include "base/result.h"
#include "outside/client/picture.h"
#include "outside/client/protocol.h"
#include "outside/client/tensor.h"

namespace casemate::client {

struct ImageRecipe {
  uint32_t width = 0;
  uint32_t height = 0;
  uint32_t channels = 1;
  bool channels_last = false;
  bool invert = false;  // black on white becomes white on black
  double scale = 1.0 / 255;
  std::array<double, 3> mean{0, 0, 0};
  std::array<double, 3> deviation{1, 1, 1};
};

using Properties = std::map<std::string, std::string, std::less<>>;

// For an input of shape [N,C,H,W], [N,H,W,C], [C,H,W], [H,W,C] or [H,W].
Result<ImageRecipe> recipe_for(const Port& input, const Properties& properties);

// One picture as a batch of one, of the input's name, type (FP32, FP64 or UINT8) and rank.
Result<Tensor> to_tensor(const Picture& picture, const ImageRecipe& recipe, const Port& input);

// `picture` in another size: averages the pixels that fall together when it shrinks, interpolates
// linearly between them when it grows, each axis for itself. The aspect ratio is not kept.
// Requires: width and height are not 0. Values are 0..255, not rounded.
std::vector<float> resized(const Picture& picture, uint32_t width, uint32_t height);

}  // namespace casemate::client
