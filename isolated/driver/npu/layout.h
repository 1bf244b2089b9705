// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tensors in the order in which the accelerator's memory holds them (compiler.h), from and to that
// in which the caller's does.
//
//   Owns     nothing: pure functions.
//   Threads  pure functions.
//   Trust    Requires: Convolution::check(), and as many values as that says.
//   Fails    nothing.

#include <span>
#include <vector>

#include "isolated/driver/npu/layer.h"

namespace casemate::npu {

// Bytes, moved by 128 if they are unsigned; 0 in channels that the image has not.
std::vector<uint8_t> packed_input(const Convolution& c, Order order, Number number, Bytes input);

// Weights less their zero points, in the caller's order.
std::vector<int32_t> centred(const Convolution& c, Order order, const Quantised& quantised,
                             Bytes weights);
// How many bytes each of them takes.
int64_t planes_of(std::span<const int32_t> centred);
std::vector<uint8_t> packed_weights(const Convolution& c, Order order,
                                    std::span<const int32_t> centred);

// bias - pad value · the sum of an output's weights.
std::vector<int32_t> folded_bias(const Convolution& c, Order order,
                                 std::span<const int32_t> centred, std::span<const int32_t> bias);
std::vector<uint8_t> packed_bias(const Convolution& c, std::span<const int32_t> bias);

void unpack(const Convolution& c, Order order, Bytes packed, std::span<int32_t> result);

}  // namespace casemate::npu
