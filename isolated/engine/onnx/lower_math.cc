// SPDX-License-Identifier: Apache-2.0
// Operators that compute, where operator sets differ or ours is simpler.
#include <algorithm>
#include <limits>
#include <numeric>

#include "isolated/engine/onnx/operators.h"

namespace casemate::engine {
namespace {

ValueId scalar(Lowering& lowering, const onnx::NodeProto& node, float value) {
  return lowering.graph().add_constant(node.name() + "/scalar",
                                       Tensor::of<float>(Shape{}, {value}));
}

// `id` times `factor`: at once where it is a constant, by a node where it is not.
Result<ValueId> scaled(Lowering& lowering, const onnx::NodeProto& node, ValueId id, float factor) {
  if (factor == 1.0F) return id;
  const Value& value = lowering.graph().value(id);
  if (value.type != ElementType::kFloat32) return unsupported(node, "only FP32 is supported");
  if (value.constant) {
    Tensor product = *value.constant;
    for (float& element : product.values<float>()) element *= factor;
    return lowering.graph().add_constant(value.name + "/scaled", std::move(product));
  }
  const std::vector<Shape> shapes = value.shapes;
  return lowering.emit_inner(node, "Mul", {id, scalar(lowering, node, factor)}, {},
                             ElementType::kFloat32, shapes);
}

Result<std::vector<Shape>> broadcast(const onnx::NodeProto& node, const std::vector<Shape>& a,
                                     const std::vector<Shape>& b) {
  std::vector<Shape> results;
  for (size_t variant = 0; variant < a.size(); ++variant) {
    const Shape& longer = a[variant].rank() >= b[variant].rank() ? a[variant] : b[variant];
    const Shape& shorter = a[variant].rank() >= b[variant].rank() ? b[variant] : a[variant];
    Shape result = longer;
    for (uint32_t i = 0; i < shorter.rank(); ++i) {
      int64_t& extent = result[i + longer.rank() - shorter.rank()];
      if (extent != shorter[i] && extent != 1 && shorter[i] != 1) {
        return invalid(node, std::format("{} and {} cannot be broadcast", a[variant].text(),
                                         b[variant].text()));
      }
      if (extent == 1) extent = shorter[i];
    }
    results.push_back(result);
  }
  return results;
}

// A bound of Clip: an attribute before operator set 11, since then an optional constant input.
Result<float> bound_of(Lowering& lowering, const onnx::NodeProto& node, int index,
                       std::string_view name, float otherwise) {
  if (!lowering.input(node, index).present()) return attributes_of(node).real(name, otherwise);
  const Tensor* constant = lowering.constant(node, index);
  if (constant == nullptr || constant->type() != ElementType::kFloat32 || constant->count() != 1) {
    return unsupported(node, std::format("its bound '{}' is not one constant FP32 number", name));
  }
  return constant->values<float>()[0];
}

// Whether the operands are matrices whose inner extents agree and the result is theirs: libonnx's
// inference does not look at the inner ones.
Status check_gemm(Lowering& lowering, const onnx::NodeProto& node, const Attributes& given) {
  const size_t rows = given.integer("transA", 0) != 0 ? 1 : 0;
  const size_t columns = given.integer("transB", 0) != 0 ? 0 : 1;
  const Made made = TRY(lowering.made(node));
  for (size_t variant = 0; variant < lowering.variant_count(); ++variant) {
    const Shape& a = lowering.shapes(lowering.input(node, 0))[variant];
    const Shape& b = lowering.shapes(lowering.input(node, 1))[variant];
    if (a.rank() != 2 || b.rank() != 2 || a[1 - rows] != b[1 - columns] ||
        made.shapes[variant] != Shape{a[rows], b[columns]}) {
      return invalid(node, std::format("{} and {} cannot be multiplied to {}", a.text(), b.text(),
                                       made.shapes[variant].text()));
    }
  }
  return {};
}

}  // namespace

// Y = alpha A' B' + beta C. Ours has no scalars: they go into constants, or become nodes.
Status lower_gemm(Lowering& lowering, const onnx::NodeProto& node) {
  const Attributes given = attributes_of(node);
  TRY(check_gemm(lowering, node, given));
  const Made made = TRY(lowering.made(node));
  const float alpha = given.real("alpha", 1.0F);
  std::vector<ValueId> inputs = {lowering.input(node, 0), lowering.input(node, 1)};
  const size_t smaller = lowering.constant(node, 1) != nullptr ? 1 : 0;
  inputs[smaller] = TRY(scaled(lowering, node, inputs[smaller], alpha));
  if (const float beta = given.real("beta", 1.0F); lowering.input(node, 2).present() && beta != 0) {
    const ValueId addend = TRY(scaled(lowering, node, lowering.input(node, 2), beta));
    const auto sum = TRY(broadcast(node, made.shapes, lowering.shapes(addend)));
    if (sum != made.shapes) return invalid(node, "its third operand is larger than the product");
    inputs.push_back(addend);
  }
  return lowering.emit(
      node, "Gemm", std::move(inputs),
      {{"transA", given.integer("transA", 0)}, {"transB", given.integer("transB", 0)}});
}

Status lower_batch_normalization(Lowering& lowering, const onnx::NodeProto& node) {
  TRY(lowering.one_output(node));
  const Attributes given = attributes_of(node);
  if (given.integer("training_mode", 0) != 0) {
    return unsupported(node, "it is in training mode: export the model for inference");
  }
  if (given.integer("spatial", 1) != 1) return unsupported(node, "spatial=0 is not supported");
  const Shape& input = lowering.shapes(lowering.input(node, 0)).front();
  if (input.rank() < 2)
    return invalid(node, std::format("its input {} has no channels", input.text()));
  std::vector<ValueId> inputs = {lowering.input(node, 0)};
  for (int i = 1; i < 5; ++i) {
    inputs.push_back(lowering.input(node, i));
    if (lowering.shapes(inputs.back()).front() != Shape{input[1]} ||
        lowering.graph().value(inputs.back()).type != ElementType::kFloat32) {
      return invalid(node,
                     std::format("its input '{}' needs one FP32 number for each of {} channels",
                                 node.input(i), input[1]));
    }
  }
  return lowering.emit(node, "BatchNormalization", std::move(inputs),
                       {{"epsilon", given.real("epsilon", 1e-5F)}});
}

// Before operator set 13, everything from the axis on was one dimension.
Status lower_softmax(Lowering& lowering, const onnx::NodeProto& node) {
  const bool flattens = lowering.opset() < 13;
  const std::vector<Shape> shapes = lowering.shapes(lowering.input(node, 0));
  const uint32_t rank = shapes.front().rank();
  if (rank == 0) return unsupported(node, "its input has no dimension");
  const size_t axis =
      TRY(axis_of(node, attributes_of(node).integer("axis", flattens ? 1 : -1), rank));
  const auto last = static_cast<int64_t>(axis);
  if (!flattens || axis + 1 == rank) {
    return lowering.emit(node, node.op_type(), {lowering.input(node, 0)}, {{"axis", last}});
  }
  std::vector<Shape> flat;
  for (const Shape& shape : shapes) {
    int64_t rows = 1;
    int64_t columns = 1;
    for (uint32_t i = 0; i < rank; ++i) (i < axis ? rows : columns) *= shape[i];
    flat.push_back(Shape{rows, columns});
  }
  const ElementType type = lowering.graph().value(lowering.input(node, 0)).type;
  const ValueId matrix =
      lowering.emit_inner(node, "Reshape", {lowering.input(node, 0)}, {}, type, flat);
  const ValueId result =
      lowering.emit_inner(node, node.op_type(), {matrix}, {{"axis", int64_t{1}}}, type, flat);
  return lowering.emit(node, "Reshape", {result}, {});
}

// The exponent may have another type than the base, which is the result's.
Status lower_pow(Lowering& lowering, const onnx::NodeProto& node) {
  const ValueId base = lowering.input(node, 0);
  ValueId exponent = lowering.input(node, 1);
  const ElementType type = lowering.graph().value(base).type;
  if (lowering.graph().value(exponent).type != type) {
    const std::vector<Shape> shapes = lowering.shapes(exponent);
    exponent = lowering.emit_inner(node, "Cast", {exponent}, {}, type, shapes);
  }
  return lowering.emit(node, "Pow", {base, exponent}, {});
}

Status lower_clip(Lowering& lowering, const onnx::NodeProto& node) {
  const float lowest =
      TRY(bound_of(lowering, node, 1, "min", std::numeric_limits<float>::lowest()));
  const float highest = TRY(bound_of(lowering, node, 2, "max", std::numeric_limits<float>::max()));
  return lowering.emit(node, "Clip", {lowering.input(node, 0)},
                       {{"min", lowest}, {"max", highest}});
}

// Sum, Mean, Min and Max of any number of values become a chain of two each.
Status lower_variadic(Lowering& lowering, const onnx::NodeProto& node) {
  const bool mean = node.op_type() == "Mean";
  const std::string op = mean || node.op_type() == "Sum" ? "Add" : node.op_type();
  ValueId total = lowering.input(node, 0);
  if (node.input_size() == 1) return lowering.emit(node, "Identity", {total}, {});
  const ElementType type = lowering.graph().value(total).type;
  if (mean && type != ElementType::kFloat32) return unsupported(node, "only FP32 is supported");
  for (int i = 1; i < node.input_size(); ++i) {
    const ValueId next = lowering.input(node, i);
    if (i + 1 == node.input_size() && !mean) return lowering.emit(node, op, {total, next}, {});
    std::vector<Shape> shapes = TRY(broadcast(node, lowering.shapes(total), lowering.shapes(next)));
    total = lowering.emit_inner(node, op, {total, next}, {}, type, std::move(shapes));
  }
  const ValueId share = scalar(lowering, node, 1.0F / static_cast<float>(node.input_size()));
  return lowering.emit(node, "Mul", {total, share}, {});
}

Status lower_reduction(Lowering& lowering, const onnx::NodeProto& node) {
  const Attributes given = attributes_of(node);
  const uint32_t rank = lowering.shapes(lowering.input(node, 0)).front().rank();
  std::vector<int64_t> list = given.integers("axes");
  if (lowering.input(node, 1).present()) list = TRY(lowering.integers(node, 1));
  if (list.empty() && given.integer("noop_with_empty_axes", 0) != 0) {
    return lowering.emit(node, "Identity", {lowering.input(node, 0)}, {});
  }
  std::vector<int64_t> axes;
  for (const int64_t axis : list)
    axes.push_back(static_cast<int64_t>(TRY(axis_of(node, axis, rank))));
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  return lowering.emit(node, node.op_type(), {lowering.input(node, 0)}, {{"axes", axes}});
}

}  // namespace casemate::engine
