// SPDX-License-Identifier: Apache-2.0
// Whatever a caller sends as a piece is refused, or sound and packed as the same bytes again.
#include "isolated/driver/remote/packed_piece.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace casemate;
  const auto piece = driver::remote::unpack(Bytes(data, size));
  if (!piece) return 0;
  CHECK(piece->sound(), "what is unpacked is sound");
  const auto packed = driver::remote::pack(*piece);
  CHECK(packed && driver::remote::unpack(*packed), "what was unpacked can be packed");
  return 0;
}
