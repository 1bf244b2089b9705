// SPDX-License-Identifier: Apache-2.0
// Conv and pooling: pads, strides and kernel made explicit, and everything checked that the kernels
// rely on, for libonnx's inference lets much of it pass.
#include <algorithm>

#include "isolated/engine/onnx/operators.h"

namespace casemate::engine {
namespace {

struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

Result<std::vector<int64_t>> list_of(const onnx::NodeProto& node, const Attributes& attributes,
                                     std::string_view name, size_t length, int64_t otherwise) {
  if (!attributes.has(name)) return std::vector<int64_t>(length, otherwise);
  std::vector<int64_t> values = attributes.integers(name);
  if (values.size() != length) {
    return invalid(node, std::format("attribute '{}' has {} values, it needs {}", name,
                                     values.size(), length));
  }
  return values;
}

// SAME: as much padding as makes the output ceil(input / stride); an odd cell goes to the end
// (UPPER) or the beginning (LOWER).
void pad_same(Window& window, const Shape& input, bool upper) {
  const size_t spatial = window.kernel.size();
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t extent = input[i + 2];
    const int64_t outputs = (extent + window.strides[i] - 1) / window.strides[i];
    const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t total = std::max<int64_t>((outputs - 1) * window.strides[i] + reach - extent, 0);
    window.pads[i] = upper ? total / 2 : total - total / 2;
    window.pads[i + spatial] = total - window.pads[i];
  }
}

Result<Window> window_of(const onnx::NodeProto& node, const Shape& input,
                         std::vector<int64_t> kernel) {
  const Attributes attributes = attributes_of(node);
  const size_t spatial = input.rank() - 2;
  Window window{.kernel = std::move(kernel),
                .strides = TRY(list_of(node, attributes, "strides", spatial, 1)),
                .dilations = TRY(list_of(node, attributes, "dilations", spatial, 1)),
                .pads = TRY(list_of(node, attributes, "pads", 2 * spatial, 0))};
  const std::string automatic = attributes.text("auto_pad", "NOTSET");
  if (automatic == "VALID") {
    std::ranges::fill(window.pads, 0);
  } else if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    pad_same(window, input, automatic == "SAME_UPPER");
  }
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t padded = input[i + 2] + window.pads[i] + window.pads[i + spatial];
    if (reach > padded) {
      return invalid(
          node,
          std::format("its kernel reaches over {} cells of dimension {}, the padded input has {}",
                      reach, i + 2, padded));
    }
  }
  return window;
}

// The output's extent by the formula of the ONNX operators.
int64_t extent_of(const Window& window, const Shape& input, size_t axis, bool ceiling) {
  const size_t spatial = window.kernel.size();
  const int64_t reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
  const int64_t padded = input[axis + 2] + window.pads[axis] + window.pads[axis + spatial];
  const int64_t stride = window.strides[axis];
  if (!ceiling) return (padded - reach) / stride + 1;
  int64_t extent = (padded - reach + stride - 1) / stride + 1;
  // A window that would begin in the padding behind the input does not count.
  if ((extent - 1) * stride >= input[axis + 2] + window.pads[axis]) --extent;
  return extent;
}

// Whether the inferred output is what the kernel will write, for every batch size.
Status check_output(Lowering& lowering, const onnx::NodeProto& node, const Window& window,
                    const Shape& input, int64_t channels, bool ceiling) {
  const Made made = TRY(lowering.made(node));
  Shape expected = input;
  expected[1] = channels;
  for (size_t i = 0; i < window.kernel.size(); ++i)
    expected[i + 2] = extent_of(window, input, i, ceiling);
  for (size_t variant = 0; variant < lowering.variant_count(); ++variant) {
    expected[0] = lowering.shapes(lowering.input(node, 0))[variant][0];
    if (made.shapes[variant] != expected) {
      return invalid(node, std::format("its output should have the shape {}, the model infers {}",
                                       expected.text(), made.shapes[variant].text()));
    }
  }
  return {};
}

Attributes attributes_with(const onnx::NodeProto& node, const Window& window) {
  Attributes attributes = attributes_of(node);
  attributes.erase("auto_pad");
  attributes.set("kernel_shape", window.kernel);
  attributes.set("strides", window.strides);
  attributes.set("dilations", window.dilations);
  attributes.set("pads", window.pads);
  return attributes;
}

Result<Shape> image_of(Lowering& lowering, const onnx::NodeProto& node) {
  const std::vector<Shape>& shapes = lowering.shapes(lowering.input(node, 0));
  const Shape& input = shapes.front();
  if (input.rank() < 3)
    return invalid(node, std::format("its input {} is no image [N,C,...]", input.text()));
  for (const Shape& other : shapes) {
    if (!std::ranges::equal(input.dims().subspan(1), other.dims().subspan(1))) {
      return unsupported(node, "the size of its image depends on the batch");
    }
  }
  return input;
}

}  // namespace

Status lower_convolution(Lowering& lowering, const onnx::NodeProto& node) {
  const Shape input = TRY(image_of(lowering, node));
  if (lowering.constant(node, 1) == nullptr) {
    return unsupported(node, "its weights are computed, only constant ones are supported");
  }
  const Shape weights = lowering.constant(node, 1)->shape();
  const Attributes attributes = attributes_of(node);
  const int64_t group = attributes.integer("group", 1);
  if (weights.rank() != input.rank()) {
    return invalid(
        node, std::format("its weights {} do not fit its input {}", weights.text(), input.text()));
  }
  if (weights[0] % group != 0 || input[1] != weights[1] * group) {
    return invalid(
        node,
        std::format("{} groups do not divide the {} input and {} output channels of weights {}",
                    group, input[1], weights[0], weights.text()));
  }
  std::vector<int64_t> kernel(weights.dims().begin() + 2, weights.dims().end());
  if (attributes.has("kernel_shape") && attributes.integers("kernel_shape") != kernel) {
    return invalid(node, std::format("attribute 'kernel_shape' is not that of its weights {}",
                                     weights.text()));
  }
  if (const ValueId bias = lowering.input(node, 2);
      bias.present() && lowering.shapes(bias).front() != Shape{weights[0]}) {
    return invalid(node, std::format("its bias {} needs {} elements",
                                     lowering.shapes(bias).front().text(), weights[0]));
  }
  const Window window = TRY(window_of(node, input, std::move(kernel)));
  TRY(check_output(lowering, node, window, input, weights[0], false));
  std::vector<ValueId> inputs = {lowering.input(node, 0), lowering.input(node, 1)};
  if (lowering.input(node, 2).present()) inputs.push_back(lowering.input(node, 2));
  return lowering.emit(node, "Conv", std::move(inputs), attributes_with(node, window));
}

Status lower_pooling(Lowering& lowering, const onnx::NodeProto& node) {
  TRY(lowering.one_output(node));
  const Shape input = TRY(image_of(lowering, node));
  const Attributes attributes = attributes_of(node);
  std::vector<int64_t> kernel = TRY(list_of(node, attributes, "kernel_shape", input.rank() - 2, 1));
  const Window window = TRY(window_of(node, input, std::move(kernel)));
  for (size_t i = 0; i < window.pads.size(); ++i) {
    const size_t axis = i % window.kernel.size();
    if (window.pads[i] >= (window.kernel[axis] - 1) * window.dilations[axis] + 1) {
      return unsupported(node,
                         "its padding is as wide as its kernel: some windows would see no input");
    }
  }
  const bool ceiling = attributes.integer("ceil_mode", 0) != 0;
  TRY(check_output(lowering, node, window, input, input[1], ceiling));
  return lowering.emit(node, node.op_type(), {lowering.input(node, 0)},
                       attributes_with(node, window));
}

}  // namespace casemate::engine
