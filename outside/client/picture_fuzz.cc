// SPDX-License-Identifier: Apache-2.0
// Any bytes as a picture; what is read has as many pixels as it says.
#include "outside/client/picture.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace casemate;
  const auto picture = client::read_png({data, size});
  if (!picture) return 0;
  const size_t pixels = size_t{picture->width} * picture->height;
  if (picture->pixels.size() != pixels * picture->channels) std::abort();
  if (client::with_channels(*picture, 1).pixels.size() != pixels) std::abort();
  return 0;
}
