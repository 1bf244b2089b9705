// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sequences of micro-ops, and which of them are on the chip: those that repeat are loaded once.
//
//   Owns     the image of all sequences for device memory.
//   Threads  one.
//   Trust    Requires: shapes of a schedule, whose elements fit the buffers.
//   Fails    place() returns kInvalid if a micro-op does not fit its fields.

#include <compare>
#include <map>
#include <vector>

#include "isolated/driver/npu/schedule.h"

namespace casemate::npu {

// What a sequence depends on. Without inputs, it is the one micro-op that begins a tile.
struct KernelShape {
  int64_t accumulators = 0;  // where the tile begins
  int64_t second = 0;        // where the pixels begin, or the bias
  int64_t weights = 0;       // where the weights begin
  int64_t positions = 0;     // of the tile
  int64_t rows = 0;          // of the pixels under it
  int64_t columns = 0;
  int64_t outputs = 0;
  int64_t inputs = 0;
  auto operator<=>(const KernelShape&) const = default;
};

class Kernels final {
 public:
  struct Place {
    Span on_chip;
    bool load = false;         // it has to be loaded first,
    uint64_t image_bytes = 0;  // from here in the image
  };

  // When the chip is full it is emptied; the compute module loads and runs in order.
  Result<Place> place(const Convolution& convolution, const KernelShape& shape);

  std::vector<uint8_t> take_image() { return std::move(image_); }

 private:
  struct Kernel {
    uint64_t image_bytes = 0;
    int64_t count = 0;
    int64_t on_chip = -1;  // where, or not
  };

  Result<Kernel> make(const Convolution& convolution, const KernelShape& shape);

  std::map<KernelShape, Kernel> kernels_;
  std::vector<uint8_t> image_;
  int64_t used_ = 0;
};

}  // namespace casemate::npu
