// SPDX-License-Identifier: Apache-2.0
// Operators that compute nothing. What only changes the shape becomes Reshape, whose result shape
// stands in the graph; Slice, Pad and Expand get what they need per dimension, checked here,
// because their kernels compute addresses from it.
#include <algorithm>
#include <numeric>

#include "isolated/engine/onnx/operators.h"
#include "isolated/engine/onnx/tensors.h"

namespace casemate::engine {
namespace {

// Whether the result has as many elements as the input, for every batch size.
Status same_count(Lowering& lowering, const onnx::NodeProto& node) {
  const Made made = TRY(lowering.made(node));
  for (size_t variant = 0; variant < lowering.variant_count(); ++variant) {
    const Shape& from = lowering.shapes(lowering.input(node, 0))[variant];
    const Shape& to = made.shapes[variant];
    if (TRY(from.element_count()) != TRY(to.element_count())) {
      return invalid(node, std::format("cannot give {} the shape {}", from.text(), to.text()));
    }
  }
  return {};
}

// Whether the result has the shape that `expected` computes from the input's, for every batch size.
template <class Expected>
Status check_shape(Lowering& lowering, const onnx::NodeProto& node, Expected expected) {
  const Made made = TRY(lowering.made(node));
  for (size_t variant = 0; variant < lowering.variant_count(); ++variant) {
    const Shape want = expected(lowering.shapes(lowering.input(node, 0))[variant]);
    if (made.shapes[variant] != want) {
      return invalid(node, std::format("its output should have the shape {}, the model infers {}",
                                       want.text(), made.shapes[variant].text()));
    }
  }
  return {};
}

// A list that newer operator sets give as a constant input and older ones as an attribute.
Result<std::vector<int64_t>> input_or_attribute(Lowering& lowering, const onnx::NodeProto& node,
                                                int index, std::string_view name) {
  if (lowering.input(node, index).present()) return lowering.integers(node, index);
  return attributes_of(node).integers(name);
}

struct Range {
  int64_t start;
  int64_t step;
  int64_t count;
};

// One dimension of a Slice, by the rules of the ONNX operator.
Range range_of(int64_t extent, int64_t start, int64_t end, int64_t step) {
  const bool forward = step > 0;
  const auto wrapped = [&](int64_t index) { return index < 0 ? index + extent : index; };
  start = std::clamp(wrapped(start), int64_t{0}, forward ? extent : extent - 1);
  end = std::clamp(wrapped(end), forward ? int64_t{0} : int64_t{-1}, extent);
  const int64_t distance = forward ? end - start : start - end;
  const int64_t stride = forward ? step : -step;
  return {start, step, distance <= 0 ? 0 : (distance + stride - 1) / stride};
}

struct SliceLists {
  std::vector<int64_t> starts, ends, axes, steps;
};

Result<SliceLists> slice_lists(Lowering& lowering, const onnx::NodeProto& node) {
  SliceLists lists{.starts = TRY(input_or_attribute(lowering, node, 1, "starts")),
                   .ends = TRY(input_or_attribute(lowering, node, 2, "ends")),
                   .axes = TRY(input_or_attribute(lowering, node, 3, "axes")),
                   .steps = TRY(lowering.integers(node, 4))};
  const size_t count = lists.starts.size();
  if (lists.axes.empty()) {
    lists.axes.resize(count);
    std::iota(lists.axes.begin(), lists.axes.end(), 0);
  }
  if (lists.steps.empty()) lists.steps.assign(count, 1);
  if (lists.ends.size() != count || lists.axes.size() != count || lists.steps.size() != count) {
    return invalid(node, "starts, ends, axes and steps have different lengths");
  }
  constexpr int64_t kFar = 1ll << 40;
  for (int64_t& step : lists.steps) {
    if (step == 0) return invalid(node, "a step is 0");
    step = std::clamp(step, -kFar, kFar);
  }
  return lists;
}

// The constant to pad with, as a tensor of the input's type.
Result<Tensor> pad_value(Lowering& lowering, const onnx::NodeProto& node) {
  const ElementType type = lowering.graph().value(lowering.input(node, 0)).type;
  if (lowering.input(node, 2).present()) {
    const Tensor* constant = lowering.constant(node, 2);
    if (constant == nullptr || constant->count() != 1 || constant->type() != type) {
      return unsupported(node, "the value to pad with is not one constant of the input's type");
    }
    return constant->reshaped(Shape{});
  }
  if (const float value = attributes_of(node).real("value", 0);
      value != 0 && type == ElementType::kFloat32) {
    return Tensor::of<float>(Shape{}, {value});
  }
  return Tensor::zeros(type, Shape{});
}

}  // namespace

Status lower_reshape(Lowering& lowering, const onnx::NodeProto& node) {
  TRY(same_count(lowering, node));
  return lowering.emit(node, "Reshape", {lowering.input(node, 0)}, {});
}

Status lower_identity(Lowering& lowering, const onnx::NodeProto& node) {
  TRY(lowering.one_output(node));
  // Dropout's third input switches training on.
  if (lowering.input(node, 2).present()) {
    const Tensor* training = lowering.constant(node, 2);
    const bool off = training != nullptr &&
                     std::ranges::all_of(training->bytes(), [](uint8_t byte) { return byte == 0; });
    if (!off) return unsupported(node, "it is in training mode: export the model for inference");
  }
  TRY(check_shape(lowering, node, [](const Shape& input) { return input; }));
  return lowering.emit(node, "Identity", {lowering.input(node, 0)}, {});
}

Status lower_transpose(Lowering& lowering, const onnx::NodeProto& node) {
  const uint32_t rank = lowering.shapes(lowering.input(node, 0)).front().rank();
  std::vector<int64_t> order = attributes_of(node).integers("perm");
  if (order.empty()) {
    order.resize(rank);
    std::iota(order.rbegin(), order.rend(), 0);
  }
  std::vector<int64_t> sorted = order;
  std::ranges::sort(sorted);
  std::vector<int64_t> all(rank);
  std::iota(all.begin(), all.end(), 0);
  if (sorted != all) return invalid(node, "attribute 'perm' is no permutation of its dimensions");
  TRY(check_shape(lowering, node, [&](const Shape& input) {
    Shape result = input;
    for (uint32_t i = 0; i < rank; ++i) result[i] = input[static_cast<size_t>(order[i])];
    return result;
  }));
  return lowering.emit(node, "Transpose", {lowering.input(node, 0)}, {{"perm", order}});
}

Status lower_slice(Lowering& lowering, const onnx::NodeProto& node) {
  const SliceLists lists = TRY(slice_lists(lowering, node));
  const std::vector<Shape>& inputs = lowering.shapes(lowering.input(node, 0));
  const uint32_t rank = inputs.front().rank();
  std::vector<int64_t> starts(rank, 0);
  std::vector<int64_t> steps(rank, 1);
  std::vector<Shape> results = inputs;
  for (size_t i = 0; i < lists.axes.size(); ++i) {
    const size_t axis = TRY(axis_of(node, lists.axes[i], rank));
    for (size_t variant = 0; variant < inputs.size(); ++variant) {
      const Range range =
          range_of(inputs[variant][axis], lists.starts[i], lists.ends[i], lists.steps[i]);
      if (variant > 0 && range.start != starts[axis]) {
        return unsupported(node, "where it starts depends on the batch");
      }
      starts[axis] = range.start;
      steps[axis] = range.step;
      results[variant][axis] = range.count;
    }
  }
  size_t variant = 0;
  TRY(check_shape(lowering, node, [&](const Shape&) { return results[variant++]; }));
  return lowering.emit(node, "Slice", {lowering.input(node, 0)},
                       {{"starts", starts}, {"steps", steps}});
}

Status lower_pad(Lowering& lowering, const onnx::NodeProto& node) {
  if (attributes_of(node).text("mode", "constant") != "constant") {
    return unsupported(node, "only the mode 'constant' is supported");
  }
  const uint32_t rank = lowering.shapes(lowering.input(node, 0)).front().rank();
  const std::vector<int64_t> given = TRY(input_or_attribute(lowering, node, 1, "pads"));
  std::vector<int64_t> axes = TRY(lowering.integers(node, 3));
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (given.size() != 2 * axes.size()) return invalid(node, "it needs two pads per dimension");
  std::vector<int64_t> pads(size_t{2} * rank, 0);
  constexpr int64_t kFar = 1ll << 31;
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = TRY(axis_of(node, axes[i], rank));
    pads[axis] = given[i];
    pads[axis + rank] = given[i + axes.size()];
  }
  if (std::ranges::any_of(pads, [](int64_t pad) { return pad < 0 || pad > kFar; })) {
    return unsupported(node, "a pad is negative or beyond 2^31");
  }
  TRY(check_shape(lowering, node, [&](Shape shape) {
    for (uint32_t i = 0; i < rank; ++i) shape[i] += pads[i] + pads[i + rank];
    return shape;
  }));
  Tensor value = TRY(pad_value(lowering, node));
  const ValueId fill = lowering.graph().add_constant(node.name() + "/value", std::move(value));
  return lowering.emit(node, "Pad", {lowering.input(node, 0), fill}, {{"pads", pads}});
}

Status lower_expand(Lowering& lowering, const onnx::NodeProto& node) {
  const Made made = TRY(lowering.made(node));
  for (size_t variant = 0; variant < lowering.variant_count(); ++variant) {
    const Shape& from = lowering.shapes(lowering.input(node, 0))[variant];
    const Shape& to = made.shapes[variant];
    bool fits = from.rank() <= to.rank();
    for (uint32_t i = 0; fits && i < from.rank(); ++i) {
      fits = from[i] == 1 || from[i] == to[i + to.rank() - from.rank()];
    }
    if (!fits) return invalid(node, std::format("cannot expand {} to {}", from.text(), to.text()));
  }
  return lowering.emit(node, "Expand", {lowering.input(node, 0)}, {});
}

Status lower_constant(Lowering& lowering, const onnx::NodeProto& node) {
  if (node.attribute_size() != 1) return invalid(node, "it needs exactly one value");
  const onnx::AttributeProto& attribute = node.attribute(0);
  const auto bind = [&](Tensor tensor) -> Status {
    lowering.bind(node, lowering.graph().add_constant(node.output(0), std::move(tensor)));
    return {};
  };
  const auto count = [&](int size) { return Shape{size}; };
  if (attribute.name() == "value") {
    onnx::TensorProto copy = attribute.t();
    return bind(TRY(take_tensor(copy)));
  }
  if (attribute.name() == "value_float") return bind(Tensor::of<float>(Shape{}, {attribute.f()}));
  if (attribute.name() == "value_int") return bind(Tensor::of<int64_t>(Shape{}, {attribute.i()}));
  if (attribute.name() == "value_floats") {
    return bind(Tensor::of<float>(
        count(attribute.floats_size()),
        {attribute.floats().data(), static_cast<size_t>(attribute.floats_size())}));
  }
  if (attribute.name() == "value_ints") {
    return bind(
        Tensor::of<int64_t>(count(attribute.ints_size()),
                            {attribute.ints().data(), static_cast<size_t>(attribute.ints_size())}));
  }
  return unsupported(node,
                     std::format("its value of kind '{}' is not supported", attribute.name()));
}

// A constant where the shape is the same for every batch size. Where it is not, a node without
// kernel stands in: it is in nobody's way as long as the value only served to infer shapes.
Status lower_shape_of(Lowering& lowering, const onnx::NodeProto& node) {
  const std::vector<Shape>& shapes = lowering.shapes(lowering.input(node, 0));
  const Attributes attributes = attributes_of(node);
  const int64_t rank = shapes.front().rank();
  const auto bounded = [&](int64_t axis) {
    return std::clamp(axis < 0 ? axis + rank : axis, int64_t{0}, rank);
  };
  const int64_t start = bounded(attributes.integer("start", 0));
  const int64_t end = std::max(start, bounded(attributes.integer("end", rank)));
  const auto part = [&](const Shape& shape) {
    return shape.dims().subspan(static_cast<size_t>(start), static_cast<size_t>(end - start));
  };
  for (const Shape& shape : shapes) {
    if (!std::ranges::equal(part(shape), part(shapes.front()))) {
      return lowering.emit(node, "Shape", {lowering.input(node, 0)}, attributes);
    }
  }
  lowering.bind(node,
                lowering.graph().add_constant(
                    node.output(0), Tensor::of<int64_t>(Shape{end - start}, part(shapes.front()))));
  return {};
}

}  // namespace casemate::engine
