// SPDX-License-Identifier: Apache-2.0
// Conv and pooling: pads, strides and kernel made explicit.
#include <algorithm>

#include "isolated/engine/passes/canonical.h"

namespace casemate::engine {
namespace {

struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

std::vector<int64_t> list_or(const Node& node, std::string_view name, size_t length,
                             int64_t otherwise) {
  std::vector<int64_t> values = node.attributes.integers(name);
  if (values.size() != length) values.assign(length, otherwise);
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

Window window_of(const Node& node, const Shape& input, std::vector<int64_t> kernel) {
  const size_t spatial = input.rank() - 2;
  Window window{.kernel = std::move(kernel),
                .strides = list_or(node, "strides", spatial, 1),
                .dilations = list_or(node, "dilations", spatial, 1),
                .pads = list_or(node, "pads", 2 * spatial, 0)};
  const std::string automatic = node.attributes.text("auto_pad", "NOTSET");
  if (automatic == "VALID") std::ranges::fill(window.pads, 0);
  if (automatic.starts_with("SAME")) pad_same(window, input, automatic == "SAME_UPPER");
  return window;
}

void become(Node& node, const Window& window) {
  node.attributes.erase("auto_pad");
  node.attributes.set("kernel_shape", window.kernel);
  node.attributes.set("strides", window.strides);
  node.attributes.set("dilations", window.dilations);
  node.attributes.set("pads", window.pads);
  node.raw = false;
}

bool bytes(const Graph& graph, ValueId id) {
  const ElementType type = graph.value(id).type;
  return type == ElementType::kUint8 || type == ElementType::kInt8;
}

bool images(const Graph& graph, const Node& node) {
  const Value& input = graph.value(node.inputs[0]);
  const Shape& output = graph.value(node.output()).shapes.front();
  return (input.type == ElementType::kFloat32 || bytes(graph, node.inputs[0])) &&
         input.shapes.front().rank() >= 3 &&
         std::ranges::none_of(input.shapes.front().dims(), [](int64_t d) { return d == 0; }) &&
         std::ranges::none_of(output.dims(), [](int64_t d) { return d == 0; });
}

void canonize_convolution(Graph& graph, Node& node) {
  const Tensor* weights = graph.constant(node.input(1));
  if (!images(graph, node) || weights == nullptr) return;
  const Shape& input = graph.value(node.inputs[0]).shapes.front();
  std::vector<int64_t> kernel(weights->shape().dims().begin() + 2, weights->shape().dims().end());
  if (!node.input(2).present()) node.inputs.resize(2);
  become(node, window_of(node, input, std::move(kernel)));
}

// The same of bytes: all but the image is constant.
void canonize_byte_convolution(Graph& graph, Node& node) {
  const size_t weights_at = node.op == "QLinearConv" ? 3 : 1;
  const auto constant = [&](ValueId id) { return !id.present() || graph.constant(id) != nullptr; };
  if (!bytes(graph, node.inputs[0]) || !images(graph, node) ||
      !std::all_of(node.inputs.begin() + 1, node.inputs.end(), constant))
    return;
  const Shape& input = graph.value(node.inputs[0]).shapes.front();
  const Shape& weights = graph.constant(node.inputs[weights_at])->shape();
  become(node, window_of(node, input, {weights.dims().begin() + 2, weights.dims().end()}));
}

// Where a window lies in the padding alone, what it makes is ONNX's to say and not a kernel's.
bool windows_see_input(const Window& window, const Shape& input, const Shape& output) {
  const size_t spatial = window.kernel.size();
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t last = (output[i + 2] - 1) * window.strides[i] - window.pads[i];
    if (window.pads[i] >= reach || window.pads[i + spatial] >= reach || last >= input[i + 2])
      return false;
  }
  return true;
}

void canonize_pooling(Graph& graph, Node& node) {
  const bool indices = node.outputs.size() > 1 && node.outputs[1].present();
  if (!images(graph, node) || indices) return;
  if (bytes(graph, node.inputs[0]) && node.op != "MaxPool") return;
  const Shape& input = graph.value(node.inputs[0]).shapes.front();
  const Window window = window_of(node, input, list_or(node, "kernel_shape", input.rank() - 2, 1));
  // Where rounding up lets a window pass the padding, ONNX counts the padding and no further.
  if (node.attributes.integer("ceil_mode", 0) != 0 &&
      node.attributes.integer("count_include_pad", 0) != 0)
    return;
  if (!windows_see_input(window, input, graph.value(node.output()).shapes.front())) return;
  node.outputs.resize(1);
  become(node, window);
}

}  // namespace

Canonize find_window_form(std::string_view op) {
  if (op == "Conv") return canonize_convolution;
  if (op == "QLinearConv" || op == "ConvInteger") return canonize_byte_convolution;
  if (op == "MaxPool" || op == "AveragePool") return canonize_pooling;
  return nullptr;
}

}  // namespace casemate::engine
