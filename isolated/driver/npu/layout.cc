// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/layout.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace casemate::npu {
namespace {

constexpr int64_t kLanes = kBlock;

// Where values stand: of images, channel by channel or pixel by pixel.
struct Strides {
  int64_t channel = 0;
  int64_t pixel = 0;

  Strides(Order order, int64_t channels, int64_t pixels)
      : channel(order == Order::kChannelsFirst ? pixels : 1),
        pixel(order == Order::kChannelsFirst ? 1 : channels) {}
};

// Ditto of weights; a tap is a place in the kernel.
struct WeightStrides {
  int64_t output = 0;
  int64_t input = 0;
  int64_t tap = 0;

  WeightStrides(const Convolution& c, Order order)
      : output(order == Order::kChannelsFirst ? c.inputs * taps(c) : 1),
        input(order == Order::kChannelsFirst ? taps(c) : c.outputs),
        tap(order == Order::kChannelsFirst ? 1 : c.inputs * c.outputs) {}
  static int64_t taps(const Convolution& c) { return c.height.kernel * c.width.kernel; }

  [[nodiscard]] size_t at(int64_t o, int64_t i, int64_t t) const {
    return static_cast<size_t>(o * output + i * input + t * tap);
  }
};

// The part of a number that its byte in a plane has: what the planes before left over.
int32_t part_of(int32_t value, int64_t plane) {
  for (int64_t before = 0; before < plane; ++before) value -= std::clamp(value, -128, 127);
  return std::clamp(value, -128, 127);
}

int32_t from_byte(Number number, uint8_t byte) {
  return number == Number::kUint8 ? byte : static_cast<int8_t>(byte);
}

uint32_t wrapping(int32_t value) { return static_cast<uint32_t>(value); }

}  // namespace

std::vector<uint8_t> packed_input(const Convolution& c, Order order, Number number, Bytes input) {
  const int64_t pixels = c.pixels();
  const Strides strides(order, c.inputs, pixels);
  const uint8_t moved = number == Number::kUint8 ? 0x80 : 0;
  std::vector<uint8_t> packed(static_cast<size_t>(c.input_bytes()));
  uint8_t* to = packed.data();
  for (int64_t image = 0; image < c.batch; ++image) {
    for (int64_t first = 0; first < c.inputs; first += kLanes, to += pixels * kLanes) {
      for (int64_t lane = 0; lane < std::min(kLanes, c.inputs - first); ++lane) {
        const uint8_t* from =
            input.data() + image * c.inputs * pixels + (first + lane) * strides.channel;
        for (int64_t pixel = 0; pixel < pixels; ++pixel)
          to[pixel * kLanes + lane] = from[pixel * strides.pixel] ^ moved;
      }
    }
  }
  return packed;
}

std::vector<int32_t> centred(const Convolution& c, Order order, const Quantised& quantised,
                             Bytes weights) {
  std::vector<int32_t> values(weights.size());
  const auto channel =
      static_cast<size_t>(order == Order::kChannelsFirst ? WeightStrides(c, order).output : 1);
  const std::vector<int32_t>& zeros = quantised.zeros;
  for (size_t i = 0; i < values.size(); ++i) {
    const int32_t value = from_byte(quantised.number, weights[i]);
    const size_t output = i / channel % static_cast<size_t>(c.outputs);
    values[i] = value - (zeros.empty() ? 0 : zeros[zeros.size() == 1 ? 0 : output]);
  }
  return values;
}

int64_t planes_of(std::span<const int32_t> centred) {
  const auto [low, high] = std::ranges::minmax(centred);
  int64_t planes = 1;
  while (low < -128 * planes || high > 127 * planes) ++planes;
  return planes;
}

std::vector<uint8_t> packed_weights(const Convolution& c, Order order,
                                    std::span<const int32_t> centred) {
  const WeightStrides strides(c, order);
  std::vector<uint8_t> packed(static_cast<size_t>(c.weight_bytes()));
  auto to = packed.begin();
  for (int64_t output = 0; output < c.outputs; output += kLanes) {
    for (int64_t input = 0; input < c.inputs; input += kLanes) {
      const int64_t rows = std::min(kLanes, c.outputs - output);
      const int64_t columns = std::min(kLanes, c.inputs - input);
      for (int64_t plane = 0; plane < c.planes; ++plane) {
        for (int64_t tap = 0; tap < WeightStrides::taps(c); ++tap, to += kLanes * kLanes) {
          for (int64_t row = 0; row < rows; ++row) {
            for (int64_t column = 0; column < columns; ++column) {
              const int32_t value = centred[strides.at(output + row, input + column, tap)];
              to[row * kLanes + column] = static_cast<uint8_t>(part_of(value, plane));
            }
          }
        }
      }
    }
  }
  return packed;
}

std::vector<int32_t> folded_bias(const Convolution& c, Order order,
                                 std::span<const int32_t> centred, std::span<const int32_t> bias) {
  const WeightStrides strides(c, order);
  std::vector<int32_t> folded(bias.begin(), bias.end());
  folded.resize(static_cast<size_t>(c.outputs));
  for (int64_t output = 0; output < c.outputs; ++output) {
    uint32_t sum = 0;
    for (int64_t input = 0; input < c.inputs; ++input) {
      for (int64_t tap = 0; tap < WeightStrides::taps(c); ++tap)
        sum += wrapping(centred[strides.at(output, input, tap)]);
    }
    int32_t& number = folded[static_cast<size_t>(output)];
    number = static_cast<int32_t>(wrapping(number) - wrapping(c.pad_value) * sum);
  }
  return folded;
}

std::vector<uint8_t> packed_bias(const Convolution& c, std::span<const int32_t> bias) {
  std::vector<uint8_t> packed(static_cast<size_t>(c.bias_bytes()));
  if (!packed.empty()) std::memcpy(packed.data(), bias.data(), bias.size_bytes());
  return packed;
}

void unpack(const Convolution& c, Order order, Bytes packed, std::span<int32_t> result) {
  const int64_t positions = c.positions();
  const Strides strides(order, c.outputs, positions);
  const uint8_t* from = packed.data();
  for (int64_t image = 0; image < c.batch; ++image) {
    int32_t* to = result.data() + image * c.outputs * positions;
    for (int64_t first = 0; first < c.outputs; first += kLanes) {
      const int64_t lanes = std::min(kLanes, c.outputs - first);
      for (int64_t position = 0; position < positions; ++position, from += kLanes * 4) {
        std::array<int32_t, kBlock> element;
        std::memcpy(element.data(), from, sizeof element);
        for (int64_t lane = 0; lane < lanes; ++lane)
          to[(first + lane) * strides.channel + position * strides.pixel] =
              element[static_cast<size_t>(lane)];
      }
    }
  }
}

}  // namespace casemate::npu
