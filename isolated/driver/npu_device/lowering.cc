// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu_device/lowering.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::driver {
namespace {

using engine::Graph;
using engine::Node;
using engine::Tensor;
using engine::ValueId;
using npu::Convolution;
using npu::Number;

Error refused(std::string why) { return {Code::kUnsupported, std::move(why)}; }

Result<Number> number_of(ElementType type, std::string_view what) {
  if (type == ElementType::kInt8) return Number::kInt8;
  if (type == ElementType::kUint8) return Number::kUint8;
  return refused(formatted("{} is {}, and not bytes", what, name_of(type)));
}

// An operand's numbers and its zero points, of which there are one or, at most, `several`.
Result<npu::Quantised> quantised(const Graph& graph, const Node& node, size_t values, size_t zeros,
                                 int64_t several) {
  npu::Quantised made;
  const ElementType type = graph.value(node.inputs[values]).type;
  made.number = TRY(number_of(type, formatted("input {}", values)));
  if (!node.input(zeros).present()) return made;
  const Tensor* points = graph.constant(node.inputs[zeros]);
  if (points == nullptr) return refused("a zero point is computed: it takes constant ones");
  const auto count = static_cast<int64_t>(points->count());
  if (points->type() != type || (count != 1 && (count != several || points->shape().rank() > 1)))
    return refused("zero points of each row: it takes one, and of weights one for each output");
  for (const uint8_t byte : points->bytes())
    made.zeros.push_back(made.number == Number::kInt8 ? static_cast<int8_t>(byte) : byte);
  return made;
}

// Bytes whose sums reach every weight less its zero point.
int64_t planes_at_most(const npu::Quantised& weights) {
  const int32_t least = weights.number == Number::kUint8 ? 0 : -128;
  int64_t planes = 1;
  const auto reach = [&](int32_t zero) {
    while (least - zero < -128 * planes || least + 255 - zero > 127 * planes) ++planes;
  };
  if (weights.zeros.empty()) reach(0);
  std::ranges::for_each(weights.zeros, reach);
  return planes;
}

int64_t at(const std::vector<int64_t>& list, size_t index, int64_t otherwise) {
  return index < list.size() ? list[index] : otherwise;
}

Status set_window(const Node& node, const Shape& image, const Shape& kernel, Convolution& c) {
  const uint32_t axes = image.rank() - 2;
  if (image.rank() < 3 || axes > 2 || kernel.rank() != image.rank())
    return refused("it takes images with one or two axes");
  if (node.attributes.text("auto_pad", "NOTSET") != "NOTSET")
    return refused("its padding is not spelled out");
  if (node.attributes.integer("group", 1) != 1 || kernel[1] != image[1])
    return refused("its channels are in groups: it takes all of them together");
  const auto strides = node.attributes.integers("strides");
  const auto dilations = node.attributes.integers("dilations");
  const auto pads = node.attributes.integers("pads");
  for (uint32_t i = 0; i < axes; ++i) {
    npu::Axis& axis = i + 1 == axes ? c.width : c.height;
    axis = {.size = image[i + 2],
            .kernel = kernel[i + 2],
            .stride = at(strides, i, 1),
            .dilation = at(dilations, i, 1),
            .pad_before = at(pads, i, 0),
            .pad_after = at(pads, i + axes, 0)};
  }
  c.batch = image[0];
  c.inputs = image[1];
  c.outputs = kernel[0];
  return {};
}

Status set_product(const Shape& rows, const Shape& matrix, Convolution& c) {
  if (rows.rank() == 0 || matrix.rank() == 0 || matrix.rank() > 2)
    return refused("it takes products of rows by one matrix");
  c.inputs = rows[rows.rank() - 1];
  c.outputs = matrix.rank() == 2 ? matrix[1] : 1;
  c.width.size = 1;
  for (uint32_t i = 0; i + 1 < rows.rank(); ++i) c.width.size *= rows[i];
  return {};
}

// Constants of an input: one, or, at most, `several`.
template <class T>
Result<std::vector<T>> constants(const Graph& graph, const Node& node, size_t input,
                                 ElementType type, int64_t several) {
  const Tensor* given = graph.constant(node.input(input));
  if (given == nullptr) return refused("a scale, zero point or bias is computed");
  const auto count = static_cast<int64_t>(given->count());
  if (given->type() != type || (count != 1 && (count != several || given->shape().rank() > 1)))
    return refused("scales of each row: it takes one, and of weights one for each output");
  std::vector<T> values(given->count());
  std::memcpy(values.data(), given->loose_bytes().data(), values.size() * sizeof(T));
  return values;
}

// Which inputs of an operator are what.
struct Form {
  bool product = false;
  bool requantised = false;
  [[nodiscard]] size_t weights() const { return requantised ? 3 : 1; }
  [[nodiscard]] size_t weight_zeros() const { return requantised ? 5 : 3; }
};

Status set_requantisation(const Graph& graph, const Node& node, const Form& form,
                          IntegerLayer& made) {
  const int64_t outputs = made.shape.convolution.outputs;
  const auto reals = [&](size_t input, int64_t several) {
    return constants<float>(graph, node, input, ElementType::kFloat32, several);
  };
  Requantisation how{.type = graph.value(node.output()).type, .wide = form.product};
  TRY(number_of(how.type, "its result"));
  const float from = TRY(reals(1, 1))[0];
  const float to = TRY(reals(6, 1))[0];
  for (const float each : TRY(reals(4, outputs)))
    how.scales.push_back(how.wide ? double{from} * each / to : double{from * each / to});
  const auto zero = TRY(constants<uint8_t>(graph, node, 7, how.type, 1))[0];
  how.zero = how.type == ElementType::kInt8 ? static_cast<int8_t>(zero) : zero;
  if (!form.product && node.input(8).present()) {
    made.bias = TRY(constants<int32_t>(graph, node, 8, ElementType::kInt32, outputs));
    if (static_cast<int64_t>(made.bias.size()) != outputs)
      return refused("a bias that is not one for each output");
  }
  made.requantised = std::move(how);
  return {};
}

template <class T>
uint8_t requantised(const Requantisation& how, int32_t sum, double scale) {
  T made{};
  if (how.wide) {
    made = engine::element_from<T>(std::nearbyint(sum * scale) + how.zero);
  } else {
    const float scaled = static_cast<float>(sum) * static_cast<float>(scale);
    made = engine::converted<T>(std::nearbyint(scaled) + static_cast<float>(how.zero));
  }
  return static_cast<uint8_t>(made);
}

Result<IntegerLayer> layer(const Graph& graph, const Node& node) {
  const Form form{.product = node.op.ends_with("MatMul") || node.op == "MatMulInteger",
                  .requantised = node.op.starts_with("QLinear")};
  const bool product = form.product;
  if (node.op != "MatMulInteger" && node.op != "ConvInteger" && node.op != "QLinearMatMul" &&
      node.op != "QLinearConv")
    return refused("it takes integer products alone");
  if (!node.post_ops.empty()) return refused("it runs no fused operators");
  if (!node.output().present()) return refused("its result is left out");
  IntegerLayer made{.input = node.input(0),
                    .weights = graph.constant(node.input(form.weights())),
                    .bias = {},
                    .requantised = {}};
  if (made.weights == nullptr || graph.constant(made.input) != nullptr)
    return refused("it takes a computed input and constant weights");
  const Shape& input = graph.value(made.input).shapes.front();
  Convolution& c = made.shape.convolution;
  TRY(product ? set_product(input, made.weights->shape(), c)
              : set_window(node, input, made.weights->shape(), c));
  made.shape.order = product ? npu::Order::kChannelsLast : npu::Order::kChannelsFirst;
  made.shape.input = TRY(quantised(graph, node, 0, 2, 1));
  made.shape.weights = TRY(quantised(graph, node, form.weights(), form.weight_zeros(), c.outputs));
  c.planes = planes_at_most(made.shape.weights);
  TRY(c.check());
  if (form.requantised) TRY(set_requantisation(graph, node, form, made));
  const auto sums = static_cast<uint64_t>(c.batch * c.outputs * c.positions());
  if (graph.value(node.output()).shapes.front().element_count().value_or(0) != sums)
    return refused("its result has another shape than its operands say");
  made.cycles = npu::estimate(c, TRY(npu::choose(c)));
  return made;
}

}  // namespace

void requantise(const npu::LayerShape& shape, const Requantisation& how,
                std::span<const int32_t> sums, MutableBytes result) {
  const Convolution& c = shape.convolution;
  // How many sums in a row are of one output.
  const auto row =
      static_cast<size_t>(shape.order == npu::Order::kChannelsFirst ? c.positions() : 1);
  for (size_t i = 0; i < sums.size(); ++i) {
    const size_t output = i / row % static_cast<size_t>(c.outputs);
    const double scale = how.scales[how.scales.size() == 1 ? 0 : output];
    result[i] = how.type == ElementType::kInt8 ? requantised<int8_t>(how, sums[i], scale)
                                               : requantised<uint8_t>(how, sums[i], scale);
  }
}

Result<IntegerLayer> layer_of(const Graph& graph, const Node& node) {
  auto made = layer(graph, node);
  if (made) return made;
  return refused(formatted("node '{}' ({}): {}", node.name, node.op, made.error().text));
}

}  // namespace casemate::driver
