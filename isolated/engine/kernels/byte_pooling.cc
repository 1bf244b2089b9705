// SPDX-License-Identifier: Apache-2.0
// MaxPool of bytes, and averages of quantised images, which passes make of AveragePool and
// GlobalAveragePool between two quantisations: casemate:QLinearAveragePool and
// casemate:QLinearGlobalAveragePool, with the attributes "scales" and "zeros" of what comes in and
// of what goes out. Channels last.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/byte_form.h"
#include "isolated/engine/kernels/image.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Pixels of the result that are worth a piece of their own.
constexpr int64_t kPiecePixels = 64;
// So many bytes can be summed in 32 bits.
constexpr int64_t kWindowMax = 1 << 22;

struct Pooling {
  ImageWindow window;
  bool averages;
  bool counts_padding;
  bool is_signed;
  byte_product::ByteSum sum;  // of an average, its scale not yet divided by a count
  int32_t x_zero;
};

// The pixels under one window that lie inside the image.
int64_t find_pixels(const ImageWindow& window, const uint8_t* image, int64_t line, int64_t column,
                    const uint8_t** pixels) {
  int64_t count = 0;
  for (int64_t h = 0; h < window.kernel_h; ++h) {
    const int64_t y = line * window.stride_h - window.pad_top + h * window.dilation_h;
    if (y < 0 || y >= window.height) continue;
    for (int64_t w = 0; w < window.kernel_w; ++w) {
      const int64_t x = column * window.stride_w - window.pad_left + w * window.dilation_w;
      if (x < 0 || x >= window.width) continue;
      pixels[count++] = image + (y * window.width + x) * window.channels;
    }
  }
  return count;
}

void pool_pixel(const Pooling& pooling, const uint8_t* const* pixels, int64_t count, uint8_t* to) {
  const byte_product::InstructionSet& set = byte_product::instruction_set();
  const ImageWindow& window = pooling.window;
  if (!pooling.averages) return set.maximum(pixels, count, pooling.is_signed, to, window.channels);
  byte_product::ByteSum sum = pooling.sum;
  const int64_t cells = pooling.counts_padding ? window.kernel_h * window.kernel_w : count;
  sum.a_scale = sum.a_scale / static_cast<float>(cells);
  sum.shift = -static_cast<float>(count * pooling.x_zero) * sum.a_scale;
  set.average(sum, pixels, count, to, window.channels);
}

KernelResult make_pool(const KernelRequest& request, const Pooling& pooling) {
  const ImageWindow& window = pooling.window;
  const int64_t cells = window.kernel_h * window.kernel_w;
  KernelNeeds needs{.inputs = {Layout::kChannelsLast}, .outputs = {Layout::kChannelsLast}};
  const int threads = thread_count();
  needs.scratch_bytes = static_cast<uint64_t>(cells) * sizeof(const uint8_t*);
  needs.scratch_of_each_thread = true;
  needs.implementation = formatted("bytes pooling {}", byte_product::instruction_set().name);
  static_cast<void>(request);
  return loop_kernel(std::move(needs), [=](const KernelArguments& arguments) {
    const int64_t whole = window.batch * window.out_height * window.out_width;
    const int64_t pieces = piece_count(whole, kPiecePixels, threads);
    const auto work = [&](int64_t piece, int thread) {
      auto** const pixels =
          static_cast<const uint8_t**>(static_cast<void*>(arguments.scratch_of(thread)));
      for (int64_t i = whole * piece / pieces; i < whole * (piece + 1) / pieces; ++i) {
        const int64_t line = i / window.out_width;
        const uint8_t* const image = arguments.inputs[0] + line / window.out_height *
                                                               window.height * window.width *
                                                               window.channels;
        const int64_t count =
            find_pixels(window, image, line % window.out_height, i % window.out_width, pixels);
        pool_pixel(pooling, pixels, count, arguments.outputs[0] + i * window.channels);
      }
    };
    parallel_for(pieces, work, threads);
  });
}

Result<ImageWindow> window_of_pool(const KernelRequest& request) {
  const bool global = request.node.op.contains("Global");
  auto window = image_window(request);
  if (!window || !byte_type(request.input_type(0)) || !byte_type(request.output_type()))
    return Error{Code::kUnsupported, "its input is no image of bytes"};
  if (global) {
    window->kernel_h = window->height;
    window->kernel_w = window->width;
  }
  if (window->channels == 0 || window->kernel_h > kWindowMax || window->kernel_w > kWindowMax ||
      window->kernel_h * window->kernel_w > kWindowMax)
    return Error{Code::kUnsupported, "its window is larger than what is summed in 32 bits"};
  return *window;
}

KernelResult make_maximum(const KernelRequest& request) {
  const ImageWindow window = TRY(window_of_pool(request));
  if (request.output_type() != request.input_type(0) || request.node.outputs.size() != 1)
    return Error{Code::kUnsupported, "its result has another type, or its indices are wanted"};
  return make_pool(request, {.window = window,
                             .averages = false,
                             .counts_padding = false,
                             .is_signed = request.input_type(0) == ElementType::kInt8,
                             .sum = {},
                             .x_zero = 0});
}

KernelResult make_average(const KernelRequest& request) {
  const ImageWindow window = TRY(window_of_pool(request));
  const std::vector<float> scales = request.node.attributes.reals("scales");
  const std::vector<int64_t> zeros = request.node.attributes.integers("zeros");
  if (scales.size() != 2 || zeros.size() != 2)
    return Error{Code::kUnsupported, "its scales are not known"};
  const ByteRange range = range_of(request.output_type());
  const bool is_signed = request.input_type(0) == ElementType::kInt8;
  const byte_product::ByteSum sum{.a_scale = scales[0] / scales[1],
                                  .b_scale = 0,
                                  .shift = 0,
                                  .low = static_cast<float>(range.low - zeros[1]),
                                  .high = static_cast<float>(range.high - zeros[1]),
                                  .zero = static_cast<int32_t>(zeros[1]),
                                  .a_signed = is_signed,
                                  .b_signed = false};
  return make_pool(request,
                   {.window = window,
                    .averages = true,
                    .counts_padding = request.node.attributes.integer("count_include_pad", 0) != 0,
                    .is_signed = is_signed,
                    .sum = sum,
                    .x_zero = static_cast<int32_t>(zeros[0])});
}

}  // namespace

void register_byte_pooling(Registry& registry) {
  for (const ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
    registry.add_mixed("MaxPool", type, Device::kCpu, make_maximum);
    registry.add_mixed("casemate:QLinearAveragePool", type, Device::kCpu, make_average);
    registry.add_mixed("casemate:QLinearGlobalAveragePool", type, Device::kCpu, make_average);
  }
}

}  // namespace casemate::engine
