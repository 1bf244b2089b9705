// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/body.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {
namespace {

// Which axis of the stack is the new one.
Result<size_t> stack_axis(const Shape& element, int64_t axis) {
  const auto rank = static_cast<int64_t>(element.rank());
  if (rank == limits::kRank)
    return Error{Code::kUnsupported, "its scan outputs have too high a rank"};
  if (axis < -rank - 1 || axis > rank)
    return Error{Code::kInvalid, formatted("its scan output axis {} is out of range", axis)};
  return static_cast<size_t>(axis < 0 ? axis + rank + 1 : axis);
}

Shape stack_shape(const Shape& element, size_t axis, int64_t count) {
  std::vector<int64_t> dims(element.dims().begin(), element.dims().end());
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), count);
  return Shape(dims);
}

}  // namespace

Result<Datum> datum_of(Computation& c, size_t input) {
  if (!c.has(input)) return Datum();
  return *TRY(c.datum(input));
}

Result<Body> Body::of(Computation& c, const std::string& name, Arity arity) {
  Body body{c.attributes().graph(name), {}};
  if (body.graph == nullptr)
    return Error{Code::kInvalid, formatted("its subgraph '{}' is missing", name)};
  const auto captures = c.attributes().integers(name + ".captures");
  const size_t takes = body.graph->inputs().size();
  if (takes != arity.inputs + captures.size()) {
    return Error{Code::kInvalid,
                 formatted("its subgraph '{}' takes {} inputs, the node gives it {}", name,
                           takes - std::min(takes, captures.size()), arity.inputs)};
  }
  const size_t makes = body.graph->outputs().size();
  if (makes < arity.outputs || (makes > arity.outputs && !arity.more)) {
    return Error{Code::kInvalid, formatted("its subgraph '{}' makes {} outputs, the node needs {}",
                                           name, makes, arity.outputs)};
  }
  for (const int64_t input : captures)
    body.captures.push_back(TRY(datum_of(c, static_cast<size_t>(input))));
  return body;
}

size_t own_inputs(const Computation& c, const std::string& name) {
  const auto captures = c.attributes().integers(name + ".captures");
  return captures.empty() ? c.input_count() : static_cast<size_t>(captures.front());
}

Result<std::vector<Datum>> Body::run(Computation& c, std::vector<Datum> inputs) const {
  inputs.insert(inputs.end(), captures.begin(), captures.end());
  CHECK(inputs.size() == graph->inputs().size(), "a body is given what its arity says");
  return c.run(*graph, std::move(inputs));
}

Result<Tensor> stacked(Computation& c, const std::vector<Tensor>& tensors, int64_t axis,
                       bool backwards) {
  const Shape& element = tensors.front().shape();
  const size_t place = TRY(stack_axis(element, axis));
  for (const Tensor& tensor : tensors) {
    if (tensor.shape() != element || tensor.type() != tensors.front().type())
      return Error{Code::kInvalid, "its scan outputs have another shape in each iteration"};
  }
  const Shape shape = stack_shape(element, place, static_cast<int64_t>(tensors.size()));
  TRY(c.allow(TRY(tensor_bytes(tensors.front().type(), shape))));
  Tensor all = TRY(Tensor::unset(tensors.front().type(), shape));
  uint64_t outer = 1;
  for (size_t i = 0; i < place; ++i) outer *= static_cast<uint64_t>(shape[i]);
  const uint64_t run = outer == 0 ? 0 : tensors.front().bytes().size() / outer;
  const MutableBytes to = all.mutable_bytes();
  for (uint64_t o = 0; o < outer && run > 0; ++o) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const size_t from = backwards ? tensors.size() - 1 - i : i;
      std::ranges::copy(tensors[from].bytes().subspan(o * run, run),
                        to.subspan((o * tensors.size() + i) * run).begin());
    }
  }
  return all;
}

Status Gathered::take(Computation& c, std::vector<Datum> outputs, size_t first) {
  CHECK(outputs.size() == first + carried.size() + scans.size(), "a body makes what it has");
  uint64_t bytes = 0;
  for (size_t i = 0; i < carried.size(); ++i) {
    carried[i] = std::move(outputs[first + i]);
    bytes += carried[i].bytes();
  }
  for (size_t i = 0; i < scans.size(); ++i) {
    const Tensor* made = outputs[first + carried.size() + i].tensor();
    if (made == nullptr || made->type() == ElementType::kString)
      return Error{Code::kUnsupported, "its scan outputs are no tensors of numbers"};
    scans[i].push_back(*made);
    scan_bytes += sizeof(Tensor) + made->byte_count();
  }
  return c.hold(bytes + scan_bytes);
}

Result<Tensor> nothing_scanned(const Graph& body, size_t output, int64_t axis) {
  const Declared& declared = body.declared(output);
  const ElementType type =
      declared.type != ElementType::kNone ? declared.type : body.value(body.outputs()[output]).type;
  if (type == ElementType::kString) {
    return Error{Code::kUnsupported,
                 formatted("output {} of its body holds texts, and what it scans are numbers: "
                           "export the model with their codes or indices instead",
                           output)};
  }
  if (size_of(type) == 0 || (!declared.shape && axis != 0)) {
    return Error{Code::kUnsupported,
                 formatted("without an iteration nothing says which numbers, of which shape, "
                           "output {} of its body holds: export the model with types and shapes "
                           "in its subgraphs",
                           output)};
  }
  Shape element = declared.shape.value_or(Shape());
  for (uint32_t i = 0; i < element.rank(); ++i) element[i] = std::max<int64_t>(element[i], 0);
  return Tensor::zeros(type, stack_shape(element, TRY(stack_axis(element, axis)), 0));
}

}  // namespace casemate::engine
