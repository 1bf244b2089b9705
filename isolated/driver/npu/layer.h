// SPDX-License-Identifier: Apache-2.0
#pragma once
// A quantised layer on the accelerator: packs what ONNX's ConvInteger, MatMulInteger, QLinearConv
// and QLinearMatMul compute in 32 bits, and runs it. Bit for bit the same:
//
//   result = bias + Σ (x - x_zero) · (w - w_zero), modulo 2^32
//
// The accelerator knows signed bytes and no zero points. Unsigned inputs are moved by 128, with
// their zero point; the image is padded with that, so that its share of the sum is the same
// everywhere, and goes into the bias. Weights less their zero points have nine bits: they are
// sums of up to three bytes, and mostly of one. What follows, scales and rounding, is floating
// point in ONNX and so the caller's.
//
//   Owns     the program and the packed weights.
//   Threads  one.
//   Trust    shapes and values may come from a hostile model; sizes are checked against each other.
//   Fails    make and run return kInvalid, kUnsupported or kTooLarge; run also what Machine::run
//            does. Faults of the device are in the report, and there is no result then.

#include <span>
#include <vector>

#include "isolated/driver/npu/compiler.h"
#include "isolated/driver/npu/machine.h"

namespace casemate::npu {

enum class Number : uint8_t { kInt8, kUint8 };

// How tensors lie in the caller's memory: [batch, channels, height, width] with weights [outputs,
// inputs, height, width], or [batch, height, width, channels] with weights [height, width, inputs,
// outputs], as the matrices of a product do.
enum class Order : uint8_t { kChannelsFirst, kChannelsLast };

struct Quantised {
  Number number = Number::kInt8;
  std::vector<int32_t> zeros;  // none: 0; one; or, of weights, one for each output
};

struct LayerShape {
  Convolution convolution;  // `planes`, `bias` and `pad_value` follow from the values
  Order order = Order::kChannelsFirst;
  Quantised input;
  Quantised weights;
};

class Layer final {
 public:
  // `bias` is empty or has a number for each output.
  static Result<Layer> make(const LayerShape& shape, Bytes weights, std::span<const int32_t> bias,
                            const CompileOptions& options);

  // Writes the program, the weights and the bias to the device.
  Status place(Machine& machine) const;
  // Writes `input`, runs, and reads the result. Requires: place() since the last reset, and nobody
  // else has written there.
  Result<Report> run(Machine& machine, Bytes input, std::span<int32_t> result,
                     uint64_t cycles_max) const;

  [[nodiscard]] const Program& program() const { return program_; }

 private:
  LayerShape shape_;
  Program program_;
  std::vector<uint8_t> weights_;
  std::vector<uint8_t> bias_;
};

}  // namespace casemate::npu
