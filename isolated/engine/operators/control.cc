// SPDX-License-Identifier: Apache-2.0
// If, Loop and SequenceMap: operators that run subgraphs.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/body.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

Result<bool> truth(const Datum& datum) {
  const Tensor* tensor = datum.tensor();
  if (tensor == nullptr || tensor->type() != ElementType::kBool || tensor->count() != 1)
    return Error{Code::kInvalid, "its condition is not one BOOL"};
  return tensor->bytes()[0] != 0;
}

Status compute_if(Computation& c) {
  const bool condition = TRY(truth(TRY(datum_of(c, 0))));
  const Body body = TRY(Body::of(c, condition ? "then_branch" : "else_branch",
                                 {.outputs = c.output_count(), .more = true}));
  std::vector<Datum> outputs = TRY(body.run(c, {}));
  for (size_t i = 0; i < c.output_count(); ++i) TRY(c.give(i, std::move(outputs[i])));
  return {};
}

Status compute_loop(Computation& c) {
  const size_t carried = own_inputs(c, "body") - std::min<size_t>(2, own_inputs(c, "body"));
  if (c.output_count() < carried)
    return Error{Code::kInvalid, "it has fewer outputs than values that it carries"};
  const Body body = TRY(Body::of(c, "body", {2 + carried, 1 + c.output_count()}));
  const int64_t trips = c.has(0) ? TRY(c.integer(0)) : INT64_MAX;
  bool going = c.has(1) ? TRY(truth(TRY(datum_of(c, 1)))) : true;
  const size_t scans = c.output_count() - carried;
  Gathered gathered{{}, std::vector<std::vector<Tensor>>(scans)};
  for (size_t i = 0; i < carried; ++i) gathered.carried.push_back(TRY(datum_of(c, 2 + i)));
  for (int64_t trip = 0; going && trip < trips; ++trip) {
    std::vector<Datum> inputs = {Tensor::of<int64_t>({}, {trip}), Tensor::of<bool>({}, {true})};
    inputs.insert(inputs.end(), gathered.carried.begin(), gathered.carried.end());
    std::vector<Datum> outputs = TRY(body.run(c, std::move(inputs)));
    going = TRY(truth(outputs[0]));
    TRY(gathered.take(c, std::move(outputs), 1));
  }
  for (size_t i = 0; i < carried; ++i) TRY(c.give(i, std::move(gathered.carried[i])));
  for (size_t i = 0; i < scans; ++i) {
    TRY(c.give(carried + i, gathered.scans[i].empty()
                                ? TRY(nothing_scanned(*body.graph, 1 + carried + i, 0))
                                : TRY(stacked(c, gathered.scans[i], 0, false))));
  }
  return {};
}

// What a SequenceMap gives its body for one element: the element of each sequence, tensors as they
// are.
Result<Datum> element_of(Computation& c, size_t input, size_t index) {
  const Datum& datum = *TRY(c.datum(input));
  if (datum.sequence() == nullptr) return datum;
  if (index >= datum.sequence()->size()) {
    return Error{Code::kInvalid, formatted("its input {} has {} elements, another has more", input,
                                           datum.sequence()->size())};
  }
  return Datum((*datum.sequence())[index]);
}

Status compute_sequence_map(Computation& c) {
  const size_t own = own_inputs(c, "body");
  const Body body = TRY(Body::of(c, "body", {own, c.output_count(), true}));
  const size_t length = TRY(c.sequence(0))->size();
  std::vector<Sequence> made(c.output_count());
  uint64_t bytes = 0;
  for (size_t i = 0; i < length; ++i) {
    std::vector<Datum> inputs;
    for (size_t k = 0; k < own; ++k) inputs.push_back(TRY(element_of(c, k, i)));
    const std::vector<Datum> outputs = TRY(body.run(c, std::move(inputs)));
    for (size_t k = 0; k < made.size(); ++k) {
      if (outputs[k].tensor() == nullptr)
        return Error{Code::kInvalid, formatted("output {} of its body is no tensor", k)};
      made[k].push_back(*outputs[k].tensor());
      bytes += sizeof(Tensor) + outputs[k].bytes();
    }
    TRY(c.hold(bytes));
  }
  for (size_t k = 0; k < made.size(); ++k) TRY(c.give(k, std::move(made[k])));
  return {};
}

}  // namespace

void add_control(Operators& operators) {
  operators.add("If", compute_if);
  operators.add("Loop", compute_loop);
  operators.add("SequenceMap", compute_sequence_map);
}

}  // namespace casemate::engine
