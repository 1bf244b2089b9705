// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the accelerator is asked for: a convolution of bytes over two axes, one group of channels.
// A product of matrices [M, K] · [K, N] is one of M single pixels, K inputs and N outputs.
//
//   Owns     nothing: values.
//   Threads  pure functions.
//   Trust    sizes may come from a hostile model: check() bounds them, the rest relies on it.
//   Fails    check() returns kInvalid or kUnsupported, and which size it was.

#include <algorithm>
#include <cstdint>

#include "base/result.h"
#include "isolated/driver/npu/isa.h"

namespace casemate::npu {

// One axis of the image and what the kernel does along it.
struct Axis {
  int64_t size = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_before = 0;
  int64_t pad_after = 0;

  // Pixels from the first tap to the last one.
  [[nodiscard]] int64_t window() const { return (kernel - 1) * dilation + 1; }
  [[nodiscard]] int64_t output() const {
    return (size + pad_before + pad_after - window()) / stride + 1;
  }
  // Pixels under `count` windows.
  [[nodiscard]] int64_t under(int64_t count) const { return (count - 1) * stride + window(); }
};

constexpr int64_t blocks(int64_t channels) { return (channels + kBlock - 1) / kBlock; }

struct Convolution {
  int64_t batch = 1;
  int64_t inputs = 1;
  int64_t outputs = 1;
  Axis height;
  Axis width;
  // Weights are sums of so many bytes: with a zero point they need up to three.
  int64_t planes = 1;
  bool bias = false;
  int8_t pad_value = 0;  // what lies around the image: its zero point

  [[nodiscard]] int64_t input_blocks() const { return blocks(inputs); }
  [[nodiscard]] int64_t output_blocks() const { return blocks(outputs); }
  [[nodiscard]] int64_t pixels() const { return height.size * width.size; }
  [[nodiscard]] int64_t positions() const { return height.output() * width.output(); }
  // 16 x 16 blocks of weights for a pair of blocks of channels.
  [[nodiscard]] int64_t taps() const { return planes * height.kernel * width.kernel; }
  // Turns of the matrix unit that it takes.
  [[nodiscard]] int64_t turns() const {
    return batch * positions() * output_blocks() * input_blocks() * taps();
  }

  // Bytes in device memory. Requires: check().
  [[nodiscard]] int64_t input_bytes() const {
    return batch * input_blocks() * pixels() * element_bytes(Memory::kInputs);
  }
  [[nodiscard]] int64_t weight_bytes() const {
    return output_blocks() * input_blocks() * taps() * element_bytes(Memory::kWeights);
  }
  [[nodiscard]] int64_t bias_bytes() const {
    return bias ? output_blocks() * element_bytes(Memory::kAccumulators) : 0;
  }
  [[nodiscard]] int64_t output_bytes() const {
    return batch * output_blocks() * positions() * element_bytes(Memory::kAccumulators);
  }

  // Whether sizes are ones that the compiler takes: then nothing above overflows.
  [[nodiscard]] Status check() const;
};

}  // namespace casemate::npu
