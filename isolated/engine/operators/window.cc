// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/window.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {
namespace {

// Of a kernel, stride, dilation or pad: the product of two fits twice into 63 bits.
constexpr int64_t kNumberMax = int64_t{1} << 30;

int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

Error invalid(std::string text) { return {Code::kInvalid, std::move(text)}; }

Status check_image(const Shape& input) {
  if (input.rank() < 3)
    return invalid(formatted("its input {} is no image [N,C,...]", input.text()));
  if (!input.known()) return invalid(formatted("its input {} has no extent", input.text()));
  return {};
}

Status check_kernel(std::span<const int64_t> kernel) {
  for (const int64_t taps : kernel) {
    if (taps < 1 || taps > kNumberMax)
      return invalid(formatted("its kernel has the extent {}, expected 1 to 2^30", taps));
  }
  return {};
}

enum class Padding : uint8_t { kExplicit, kSameUpper, kSameLower, kValid };

Result<Padding> padding_of(const Computation& c) {
  const std::string name = c.attributes().text("auto_pad", "NOTSET");
  if (name.empty() || name == "NOTSET") return Padding::kExplicit;
  if (name == "SAME_UPPER") return Padding::kSameUpper;
  if (name == "SAME_LOWER") return Padding::kSameLower;
  if (name == "VALID") return Padding::kValid;
  return invalid(
      formatted("attribute 'auto_pad' is '{}', expected NOTSET, SAME_UPPER, "
                "SAME_LOWER or VALID",
                name));
}

// Shares out so many cells of padding; an odd one goes to the end unless `more_at_begin`.
void share_padding(WindowAxis& axis, int64_t total, bool more_at_begin) {
  axis.pad_begin = more_at_begin ? total - total / 2 : total / 2;
  axis.pad_end = total - axis.pad_begin;
}

// Kernel, strides, dilations and explicit pads; 'pads' count for nothing beside 'auto_pad'.
Result<Window> window_numbers(const Computation& c, const Shape& input,
                              const std::vector<int64_t>& kernel, Padding padding) {
  TRY(check_image(input));
  TRY(check_kernel(kernel));
  const size_t rank = input.rank() - 2;
  CHECK(kernel.size() == rank, "a kernel has the image's dimensions");
  const auto strides = TRY(window_attribute(c, "strides", rank, 1, 1));
  const auto dilations = TRY(window_attribute(c, "dilations", rank, 1, 1));
  const auto pads = TRY(window_attribute(c, "pads", 2 * rank, 0, 0));
  Window window{.rank = static_cast<uint32_t>(rank)};
  for (size_t i = 0; i < rank; ++i) {
    WindowAxis& axis = window.axes[i];
    axis.input = input[i + 2];
    axis.kernel = kernel[i];
    axis.stride = strides[i];
    axis.dilation = dilations[i];
    if (padding != Padding::kExplicit) continue;
    axis.pad_begin = pads[i];
    axis.pad_end = pads[i + rank];
  }
  return window;
}

}  // namespace

Range WindowAxis::taps(int64_t position) const {
  const int64_t start = position * stride - pad_begin;
  const int64_t first = start >= 0 ? 0 : divided_up(-start, dilation);
  const int64_t last = start >= input ? 0 : std::min(kernel, divided_up(input - start, dilation));
  return {first, std::max(first, last)};
}

Range WindowAxis::positions(int64_t tap) const {
  const int64_t start = tap * dilation - pad_begin;
  const int64_t first = start >= 0 ? 0 : divided_up(-start, stride);
  const int64_t last = start >= input ? 0 : std::min(output, divided_up(input - start, stride));
  return {first, std::max(first, last)};
}

int64_t Window::cells() const {
  int64_t product = 1;
  for (uint32_t i = 0; i < rank; ++i) product *= axes[i].input;
  return product;
}

int64_t Window::positions() const {
  int64_t product = 1;
  for (uint32_t i = 0; i < rank; ++i) product *= axes[i].output;
  return product;
}

int64_t Window::taps() const {
  int64_t product = 1;
  for (uint32_t i = 0; i < rank; ++i) product *= axes[i].kernel;
  return product;
}

Shape Window::output_shape(int64_t batch, int64_t channels) const {
  std::array<int64_t, limits::kRank> dims = {batch, channels};
  for (uint32_t i = 0; i < rank; ++i) dims[i + 2] = axes[i].output;
  return Shape(std::span(dims).first(rank + 2));
}

Result<std::vector<int64_t>> window_attribute(const Computation& c, std::string_view name,
                                              size_t count, int64_t otherwise, int64_t lowest) {
  std::vector<int64_t> values = c.attributes().integers(name);
  // Exporters write an empty list for one that is left out.
  if (values.empty()) return std::vector<int64_t>(count, otherwise);
  if (values.size() != count) {
    return invalid(
        formatted("attribute '{}' has {} values, it needs {}", name, values.size(), count));
  }
  for (const int64_t value : values) {
    if (value < lowest || value > kNumberMax) {
      return invalid(
          formatted("attribute '{}' has the value {}, expected {} to 2^30", name, value, lowest));
    }
  }
  return values;
}

Result<std::vector<int64_t>> kernel_attribute(const Computation& c, const Shape& input) {
  TRY(check_image(input));
  if (c.attributes().integers("kernel_shape").empty())
    return invalid("attribute 'kernel_shape' is missing");
  return window_attribute(c, "kernel_shape", input.rank() - 2, 1, 1);
}

Result<std::vector<int64_t>> kernel_of_weights(const Computation& c, const Shape& input,
                                               const Shape& weights) {
  TRY(check_image(input));
  if (weights.rank() != input.rank() || !weights.known()) {
    return invalid(formatted("its weights {} have not the rank of its input {}", weights.text(),
                             input.text()));
  }
  std::vector<int64_t> kernel(weights.dims().begin() + 2, weights.dims().end());
  const std::vector<int64_t> declared = c.attributes().integers("kernel_shape");
  if (!declared.empty() && declared != kernel) {
    return invalid(
        formatted("attribute 'kernel_shape' is not that of its weights {}", weights.text()));
  }
  return kernel;
}

Result<Window> window_of(const Computation& c, const Shape& input,
                         const std::vector<int64_t>& kernel) {
  const Padding padding = TRY(padding_of(c));
  Window window = TRY(window_numbers(c, input, kernel, padding));
  const bool ceiling = c.attributes().integer("ceil_mode", 0) != 0;
  for (uint32_t i = 0; i < window.rank; ++i) {
    WindowAxis& axis = window.axes[i];
    const int64_t reach = axis.reach();
    if (padding == Padding::kSameUpper || padding == Padding::kSameLower) {
      axis.output = divided_up(axis.input, axis.stride);
      const int64_t covered = (axis.output - 1) * axis.stride + reach;
      share_padding(axis, std::max<int64_t>(covered - axis.input, 0),
                    padding == Padding::kSameLower);
      continue;
    }
    const int64_t padded = axis.input + axis.pad_begin + axis.pad_end;
    if (reach > padded) {
      return invalid(
          formatted("its kernel reaches over {} cells of dimension {}, the padded input has {}",
                    reach, i + 2, padded));
    }
    const int64_t room = padded - reach;
    axis.output = (ceiling ? divided_up(room, axis.stride) : room / axis.stride) + 1;
    // A window that would begin in the padding behind the input does not count.
    if (ceiling && (axis.output - 1) * axis.stride >= axis.input + axis.pad_begin) --axis.output;
  }
  return window;
}

Result<Window> transposed_window_of(const Computation& c, const Shape& input,
                                    const std::vector<int64_t>& kernel) {
  const Padding padding = TRY(padding_of(c));
  Window window = TRY(window_numbers(c, input, kernel, padding));
  const auto extra = TRY(window_attribute(c, "output_padding", window.rank, 0, 0));
  const auto wanted = TRY(window_attribute(c, "output_shape", window.rank, 0, 0));
  const bool chosen = !c.attributes().integers("output_shape").empty();
  for (uint32_t i = 0; i < window.rank; ++i) {
    WindowAxis& axis = window.axes[i];
    axis.output = axis.input;
    if (axis.output > kNumberMax) {
      return invalid(
          formatted("dimension {} of its input has the extent {}, expected at most "
                    "2^30",
                    i + 2, axis.output));
    }
    if (extra[i] >= std::max(axis.stride, axis.dilation)) {
      return invalid(
          formatted("attribute 'output_padding' has the value {}, expected less than "
                    "the stride {} or the dilation {}",
                    extra[i], axis.stride, axis.dilation));
    }
    const int64_t full =
        std::max<int64_t>(axis.output - 1, 0) * axis.stride + axis.reach() + extra[i];
    const bool same = padding == Padding::kSameUpper || padding == Padding::kSameLower;
    if (chosen || same) {
      axis.input = chosen ? wanted[i] : axis.output * axis.stride;
      // Before version 11 the odd cell went the other way.
      const bool more_at_begin = (padding == Padding::kSameUpper) != c.since(11);
      share_padding(axis, std::max<int64_t>(full - axis.input, 0), more_at_begin);
    } else {
      axis.input = full - axis.pad_begin - axis.pad_end;
    }
    if (axis.input < 0) {
      return invalid(formatted("its pads {} and {} are wider than dimension {} of its output",
                               axis.pad_begin, axis.pad_end, i + 2));
    }
  }
  return window;
}

}  // namespace casemate::engine
