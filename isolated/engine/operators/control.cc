// SPDX-License-Identifier: Apache-2.0
// Operators that run subgraphs. The inputs of a subgraph are its own, and behind them what it
// captures from around the node: the node's inputs that its attribute "NAME.captures" lists.
#include <format>

#include "isolated/engine/graph/box.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

struct Body {
  const Graph* graph;
  std::vector<Datum> captures;
};

Result<Datum> datum_of(Computation& c, size_t input) {
  if (!c.has(input)) return Datum();
  return *TRY(c.datum(input));
}

Result<Body> body_of(Computation& c, const std::string& name) {
  Body body{c.attributes().graph(name), {}};
  if (body.graph == nullptr)
    return Error{Code::kInvalid, std::format("its subgraph '{}' is missing", name)};
  for (const int64_t input : c.attributes().integers(name + ".captures"))
    body.captures.push_back(TRY(datum_of(c, static_cast<size_t>(input))));
  return body;
}

// Inputs of the node that are its own, not captures.
size_t own_inputs(const Computation& c, const std::string& name) {
  const auto captures = c.attributes().integers(name + ".captures");
  return captures.empty() ? c.input_count() : static_cast<size_t>(captures.front());
}

Result<std::vector<Datum>> run_body(Computation& c, const Body& body, std::vector<Datum> inputs) {
  inputs.insert(inputs.end(), body.captures.begin(), body.captures.end());
  if (inputs.size() != body.graph->inputs().size()) {
    return Error{Code::kInvalid, std::format("its subgraph takes {} inputs, the node gives it {}",
                                             body.graph->inputs().size() - body.captures.size(),
                                             inputs.size() - body.captures.size())};
  }
  return c.run(*body.graph, std::move(inputs));
}

Result<bool> truth(const Datum& datum) {
  const Tensor* tensor = datum.tensor();
  if (tensor == nullptr || tensor->type() != ElementType::kBool || tensor->count() != 1)
    return Error{Code::kInvalid, "its condition is not one BOOL"};
  return tensor->bytes()[0] != 0;
}

Status compute_if(Computation& c) {
  const bool condition = TRY(truth(TRY(datum_of(c, 0))));
  const Body body = TRY(body_of(c, condition ? "then_branch" : "else_branch"));
  std::vector<Datum> outputs = TRY(run_body(c, body, {}));
  if (outputs.size() < c.output_count()) {
    return Error{Code::kInvalid, std::format("its branch makes {} outputs, the node has {}",
                                             outputs.size(), c.output_count())};
  }
  for (size_t i = 0; i < c.output_count(); ++i) TRY(c.give(i, std::move(outputs[i])));
  return {};
}

// The tensors one behind the other along `axis`, where each has the extent 1 after being given it.
// As NumPy's stack. Requires: all of one type.
Result<Tensor> stacked(Computation& c, const std::vector<Tensor>& tensors, int64_t axis,
                       bool backwards) {
  const Shape& element = tensors.front().shape();
  const auto rank = static_cast<int64_t>(element.rank());
  if (rank == limits::kRank)
    return Error{Code::kUnsupported, "its scan outputs have too high a rank"};
  if (axis < -rank - 1 || axis > rank)
    return Error{Code::kInvalid, std::format("its scan output axis {} is out of range", axis)};
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

// What a body makes of the iterations: carried values, and scan outputs one per iteration.
struct Gathered {
  std::vector<Datum> carried;
  std::vector<std::vector<Tensor>> scans;

  Status take(std::vector<Datum> outputs, size_t first, size_t scan_count) {
    if (outputs.size() != first + carried.size() + scan_count) {
      return Error{Code::kInvalid,
                   std::format("its body makes {} outputs, the node needs {}", outputs.size(),
                               first + carried.size() + scan_count)};
    }
    for (size_t i = 0; i < carried.size(); ++i) carried[i] = std::move(outputs[first + i]);
    for (size_t i = 0; i < scan_count; ++i) {
      const Tensor* made = outputs[first + carried.size() + i].tensor();
      if (made == nullptr || made->type() == ElementType::kString)
        return Error{Code::kUnsupported, "its scan outputs are no tensors of numbers"};
      scans[i].push_back(*made);
    }
    return {};
  }
};

// A scan output of no iterations: the type is not known to anybody, the shape but for its 0 neither.
Result<Tensor> nothing_scanned(const Graph& body, size_t output) {
  const ElementType type = body.value(body.outputs()[output]).type;
  return Tensor::zeros(type == ElementType::kNone ? ElementType::kFloat32 : type, {0});
}

Status compute_loop(Computation& c) {
  const Body body = TRY(body_of(c, "body"));
  const int64_t trips = c.has(0) ? TRY(c.integer(0)) : INT64_MAX;
  bool going = c.has(1) ? TRY(truth(TRY(datum_of(c, 1)))) : true;
  const size_t carried = own_inputs(c, "body") - std::min<size_t>(2, own_inputs(c, "body"));
  if (c.output_count() < carried)
    return Error{Code::kInvalid, "it has fewer outputs than values that it carries"};
  const size_t scans = c.output_count() - carried;
  Gathered gathered{{}, std::vector<std::vector<Tensor>>(scans)};
  for (size_t i = 0; i < carried; ++i) gathered.carried.push_back(TRY(datum_of(c, 2 + i)));
  for (int64_t trip = 0; going && trip < trips; ++trip) {
    std::vector<Datum> inputs = {Tensor::of<int64_t>({}, {trip}), Tensor::of<bool>({}, {true})};
    inputs.insert(inputs.end(), gathered.carried.begin(), gathered.carried.end());
    std::vector<Datum> outputs = TRY(run_body(c, body, std::move(inputs)));
    if (outputs.empty()) return Error{Code::kInvalid, "its body makes no condition"};
    going = TRY(truth(outputs[0]));
    TRY(gathered.take(std::move(outputs), 1, scans));
  }
  for (size_t i = 0; i < carried; ++i) TRY(c.give(i, std::move(gathered.carried[i])));
  for (size_t i = 0; i < scans; ++i) {
    TRY(c.give(carried + i, gathered.scans[i].empty()
                                ? TRY(nothing_scanned(*body.graph, 1 + carried + i))
                                : TRY(stacked(c, gathered.scans[i], 0, false))));
  }
  return {};
}

// One slice of a tensor along an axis, without that axis.
Result<Tensor> slice_at(const Tensor& tensor, size_t axis, int64_t index) {
  std::vector<int64_t> dims(tensor.shape().dims().begin(), tensor.shape().dims().end());
  uint64_t outer = 1;
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<uint64_t>(dims[i]);
  const auto extent = static_cast<uint64_t>(dims[axis]);
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  Tensor slice = TRY(Tensor::unset(tensor.type(), Shape(dims)));
  const uint64_t run = outer == 0 ? 0 : slice.bytes().size() / outer;
  const MutableBytes to = slice.mutable_bytes();
  for (uint64_t o = 0; o < outer && run > 0; ++o) {
    const uint64_t from = (o * extent + static_cast<uint64_t>(index)) * run;
    std::ranges::copy(tensor.bytes().subspan(from, run), to.subspan(o * run).begin());
  }
  return slice;
}

// What a Scan reads along: the tensors, the axis of each, and how many slices they have.
struct Scanned {
  std::vector<Tensor> tensors;
  std::vector<size_t> axes;
  std::vector<bool> backwards;
  int64_t length = 0;

  [[nodiscard]] Result<Tensor> slice(size_t i, int64_t trip) const {
    return slice_at(tensors[i], axes[i], backwards[i] ? length - 1 - trip : trip);
  }
};

int64_t entry(const std::vector<int64_t>& list, size_t index) {
  return index < list.size() ? list[index] : 0;
}

Result<Scanned> scanned(Computation& c, size_t first, size_t count) {
  Scanned scanned;
  const auto axes = c.attributes().integers("scan_input_axes");
  const auto directions = c.attributes().integers("scan_input_directions");
  for (size_t i = 0; i < count; ++i) {
    const Tensor& tensor = *TRY(c.tensor(first + i));
    const auto rank = static_cast<int64_t>(tensor.shape().rank());
    const int64_t axis = entry(axes, i) < 0 ? entry(axes, i) + rank : entry(axes, i);
    if (axis < 0 || axis >= rank || tensor.type() == ElementType::kString)
      return Error{Code::kInvalid, std::format("it cannot scan its input {} along axis {}",
                                               first + i, entry(axes, i))};
    const int64_t length = tensor.shape()[static_cast<size_t>(axis)];
    if (i > 0 && length != scanned.length)
      return Error{Code::kInvalid,
                   std::format("its inputs have {} and {} slices", scanned.length, length)};
    scanned.length = length;
    scanned.tensors.push_back(tensor);
    scanned.axes.push_back(static_cast<size_t>(axis));
    scanned.backwards.push_back(entry(directions, i) != 0);
  }
  return scanned;
}

Status give_scan(Computation& c, const Body& body, Gathered gathered) {
  const auto axes = c.attributes().integers("scan_output_axes");
  const auto directions = c.attributes().integers("scan_output_directions");
  const size_t states = gathered.carried.size();
  for (size_t i = 0; i < states; ++i) TRY(c.give(i, std::move(gathered.carried[i])));
  for (size_t i = 0; i < gathered.scans.size(); ++i) {
    TRY(c.give(states + i, gathered.scans[i].empty()
                               ? TRY(nothing_scanned(*body.graph, states + i))
                               : TRY(stacked(c, gathered.scans[i], entry(axes, i),
                                             entry(directions, i) != 0))));
  }
  return {};
}

// Scan since operator set 9; that of 8 has a batch and lengths, see compute_scan().
Status scan_once(Computation& c) {
  const Body body = TRY(body_of(c, "body"));
  const size_t own = own_inputs(c, "body");
  const int64_t wanted = c.attributes().integer("num_scan_inputs", 0);
  if (wanted < 1 || static_cast<uint64_t>(wanted) > own)
    return Error{Code::kInvalid, std::format("it scans {} of its {} inputs", wanted, own)};
  const auto count = static_cast<size_t>(wanted);
  const size_t states = own - count;
  if (c.output_count() < states)
    return Error{Code::kInvalid, "it has fewer outputs than values that it carries"};
  const Scanned inputs = TRY(scanned(c, states, count));
  Gathered gathered{{}, std::vector<std::vector<Tensor>>(c.output_count() - states)};
  for (size_t i = 0; i < states; ++i) gathered.carried.push_back(TRY(datum_of(c, i)));
  for (int64_t trip = 0; trip < inputs.length; ++trip) {
    std::vector<Datum> given = gathered.carried;
    for (size_t i = 0; i < count; ++i) given.emplace_back(TRY(inputs.slice(i, trip)));
    TRY(gathered.take(TRY(run_body(c, body, std::move(given))), 0, gathered.scans.size()));
  }
  return give_scan(c, body, std::move(gathered));
}

Status compute_scan(Computation& c) {
  if (!c.since(9))
    return Error{Code::kUnsupported, "Scan of operator set 8 is not supported: export a newer one"};
  return scan_once(c);
}

}  // namespace

void add_control(Operators& operators) {
  operators.add("If", compute_if);
  operators.add("Loop", compute_loop);
  operators.add("Scan", compute_scan);
}

}  // namespace casemate::engine
