// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/body.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::engine {

Result<Datum> datum_of(Computation& c, size_t input) {
  if (!c.has(input)) return Datum();
  return *TRY(c.datum(input));
}

Result<Body> Body::of(Computation& c, const std::string& name) {
  Body body{c.attributes().graph(name), {}};
  if (body.graph == nullptr)
    return Error{Code::kInvalid, formatted("its subgraph '{}' is missing", name)};
  for (const int64_t input : c.attributes().integers(name + ".captures"))
    body.captures.push_back(TRY(datum_of(c, static_cast<size_t>(input))));
  return body;
}

size_t own_inputs(const Computation& c, const std::string& name) {
  const auto captures = c.attributes().integers(name + ".captures");
  return captures.empty() ? c.input_count() : static_cast<size_t>(captures.front());
}

Result<std::vector<Datum>> Body::run(Computation& c, std::vector<Datum> inputs) const {
  inputs.insert(inputs.end(), captures.begin(), captures.end());
  if (inputs.size() != graph->inputs().size()) {
    return Error{Code::kInvalid, formatted("its subgraph takes {} inputs, the node gives it {}",
                                           graph->inputs().size() - captures.size(),
                                           inputs.size() - captures.size())};
  }
  return c.run(*graph, std::move(inputs));
}

Result<Tensor> stacked(Computation& c, const std::vector<Tensor>& tensors, int64_t axis,
                       bool backwards) {
  const Shape& element = tensors.front().shape();
  const auto rank = static_cast<int64_t>(element.rank());
  if (rank == limits::kRank)
    return Error{Code::kUnsupported, "its scan outputs have too high a rank"};
  if (axis < -rank - 1 || axis > rank)
    return Error{Code::kInvalid, formatted("its scan output axis {} is out of range", axis)};
  if (axis < 0) axis += rank + 1;
  std::vector<int64_t> dims(element.dims().begin(), element.dims().end());
  dims.insert(dims.begin() + axis, static_cast<int64_t>(tensors.size()));
  for (const Tensor& tensor : tensors) {
    if (tensor.shape() != element || tensor.type() != tensors.front().type())
      return Error{Code::kInvalid, "its scan outputs have another shape in each iteration"};
  }
  const Shape shape(dims);
  TRY(c.allow(TRY(tensor_bytes(tensors.front().type(), shape))));
  Tensor all = TRY(Tensor::unset(tensors.front().type(), shape));
  uint64_t outer = 1;
  for (int64_t i = 0; i < axis; ++i) outer *= static_cast<uint64_t>(dims[static_cast<size_t>(i)]);
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
  if (outputs.size() != first + carried.size() + scans.size()) {
    return Error{Code::kInvalid, formatted("its body makes {} outputs, the node needs {}",
                                           outputs.size(), first + carried.size() + scans.size())};
  }
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

Result<Tensor> nothing_scanned(const Graph& body, size_t output) {
  // No iteration has compared what the body makes with what the node needs.
  if (output >= body.outputs().size()) {
    return Error{Code::kInvalid, formatted("its body makes {} outputs, the node needs more",
                                           body.outputs().size())};
  }
  const ElementType type = body.value(body.outputs()[output]).type;
  return Tensor::zeros(type == ElementType::kNone ? ElementType::kFloat32 : type, {0});
}

}  // namespace casemate::engine
