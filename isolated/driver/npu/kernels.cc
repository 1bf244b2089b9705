// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/kernels.h"

namespace casemate::npu {
namespace {

// The loops of the instruction go over positions, those of the sequence over everything else.
std::vector<MicroOp> sequence(const Convolution& c, const KernelShape& s) {
  std::vector<MicroOp> ops;
  if (s.inputs == 0) {
    return {{.dst = static_cast<uint16_t>(s.accumulators), .src = static_cast<uint16_t>(s.second)}};
  }
  int64_t weight = s.weights;
  for (int64_t output = 0; output < s.outputs; ++output) {
    for (int64_t input = 0; input < s.inputs; ++input) {
      for (int64_t plane = 0; plane < c.planes; ++plane) {
        for (int64_t y = 0; y < c.height.kernel; ++y) {
          for (int64_t x = 0; x < c.width.kernel; ++x, ++weight) {
            const int64_t row = input * s.rows + y * c.height.dilation;
            ops.push_back(
                {.dst = static_cast<uint16_t>(s.accumulators + output * s.positions),
                 .src = static_cast<uint16_t>(s.second + row * s.columns + x * c.width.dilation),
                 .weight = static_cast<uint16_t>(weight)});
          }
        }
      }
    }
  }
  return ops;
}

}  // namespace

Result<Kernels::Kernel> Kernels::make(const Convolution& convolution, const KernelShape& shape) {
  Kernel kernel{.image_bytes = image_.size()};
  for (const MicroOp& op : sequence(convolution, shape)) {
    const uint32_t word = TRY(encode(op));
    const Bytes bytes = bytes_of(word);
    image_.insert(image_.end(), bytes.begin(), bytes.end());
    ++kernel.count;
  }
  return kernel;
}

Result<Kernels::Place> Kernels::place(const Convolution& convolution, const KernelShape& shape) {
  auto at = kernels_.find(shape);
  if (at == kernels_.end()) at = kernels_.emplace(shape, TRY(make(convolution, shape))).first;
  Kernel& kernel = at->second;
  Place place{.on_chip = {kernel.on_chip, kernel.count}, .image_bytes = kernel.image_bytes};
  if (kernel.on_chip >= 0) return place;
  if (used_ + kernel.count > capacity(Memory::kMicroOps)) {
    for (auto& [_, other] : kernels_) other.on_chip = -1;
    used_ = 0;
  }
  kernel.on_chip = used_;
  used_ += kernel.count;
  place.on_chip.first = kernel.on_chip;
  place.load = true;
  return place;
}

}  // namespace casemate::npu
