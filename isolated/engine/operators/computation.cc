// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/computation.h"

#include <algorithm>
#include <cstring>

#include "base/format.h"

namespace casemate::engine {
namespace {

const Shape kNoShape;

// What that many strings take before there is anything in them.
Result<uint64_t> empty_strings(const Shape& shape) {
  constexpr uint64_t kEnough = 1ull << 40;
  return std::min(TRY(shape.element_count()), kEnough) * sizeof(std::string);
}

}  // namespace

uint64_t Datum::bytes() const {
  const auto bytes_of_tensor = [](const Tensor& tensor) {
    uint64_t bytes = tensor.byte_count();
    if (tensor.type() != ElementType::kString) return bytes;
    for (const std::string& text : tensor.values<std::string>()) bytes += sizeof text + text.size();
    return bytes;
  };
  if (const Tensor* held = tensor()) return bytes_of_tensor(*held);
  uint64_t bytes = 0;
  if (const Sequence* held = sequence()) {
    for (const Tensor& element : *held) bytes += bytes_of_tensor(element);
  }
  return bytes;
}

Fact Fact::of(const Datum& datum) {
  Fact fact{.datum = &datum, .given = !datum.empty()};
  if (const Tensor* tensor = datum.tensor()) {
    fact.type = tensor->type();
    fact.shape = tensor->shape();
  }
  return fact;
}

Computation::Computation(const Node& node, std::vector<Fact> inputs, Host& host, Mode mode)
    : node_(node),
      inputs_(std::move(inputs)),
      host_(host),
      mode_(mode),
      outputs_(node.outputs.size()),
      made_(node.outputs.size()) {
  CHECK(inputs_.size() == node.inputs.size(), "every input of a node is described");
}

Computation::Computation(const Node& node, std::vector<Fact> inputs, Host& host,
                         std::vector<Tensor> places)
    : Computation(node, std::move(inputs), host, Mode::kRun) {
  places_ = std::move(places);
  CHECK(places_.size() == outputs_.size(), "every output has its place");
}

ElementType Computation::type(size_t input) const {
  return has(input) ? inputs_[input].type : ElementType::kNone;
}

const Shape& Computation::shape(size_t input) const {
  return has(input) ? inputs_[input].shape : kNoShape;
}

Error Computation::not_known() {
  outcome_.unknown = true;
  return {Code::kUnavailable, "what it needs is known when it runs"};
}

Result<const Datum*> Computation::datum(size_t input) {
  if (!has(input)) return Error{Code::kInvalid, formatted("its input {} is left out", input)};
  const Datum* found = inputs_[input].datum;
  if (found == nullptr) return not_known();
  return found;
}

Result<const Tensor*> Computation::tensor(size_t input) {
  const Tensor* found = TRY(datum(input))->tensor();
  if (found == nullptr) return Error{Code::kInvalid, formatted("its input {} is no tensor", input)};
  return found;
}

Result<const Sequence*> Computation::sequence(size_t input) {
  const Sequence* found = TRY(datum(input))->sequence();
  if (found == nullptr)
    return Error{Code::kInvalid, formatted("its input {} is no sequence", input)};
  return found;
}

Error Computation::wrong_type(size_t input, ElementType wanted) const {
  return {Code::kInvalid, formatted("its input {} is a tensor of {}, it takes one of {}", input,
                                    name_of(type(input)), name_of(wanted))};
}

Result<std::vector<int64_t>> Computation::integers(size_t input) {
  const Tensor* found = TRY(tensor(input));
  if (found->type() == ElementType::kInt64) {
    const auto values = found->values<int64_t>();
    return std::vector<int64_t>(values.begin(), values.end());
  }
  if (found->type() != ElementType::kInt32) return wrong_type(input, ElementType::kInt64);
  const auto values = found->values<int32_t>();
  return std::vector<int64_t>(values.begin(), values.end());
}

Result<int64_t> Computation::integer(size_t input) {
  const auto values = TRY(integers(input));
  if (values.size() != 1) {
    return Error{Code::kInvalid,
                 formatted("its input {} has {} elements, it takes one", input, values.size())};
  }
  return values[0];
}

// Notes that an output is known. In a dry run the last one ends the function.
Status Computation::settle(size_t output, const Fact& fact) {
  CHECK(output < made_.size(), "a function makes the outputs that its node has");
  CHECK(!made_[output], "a function makes an output once");
  made_[output] = fact;
  if (mode_ == Mode::kRun) return {};
  for (size_t i = 0; i < made_.size(); ++i) {
    if (wants(i) && !made_[i]) return {};
  }
  outcome_.stopped = true;
  return Error{Code::kUnavailable, "all is known that can be before it runs"};
}

Result<Tensor*> Computation::make(size_t output, ElementType type, const Shape& shape) {
  CHECK(output < outputs_.size(), "a function makes the outputs that its node has");
  const bool text = type == ElementType::kString;
  const uint64_t bytes = text ? TRY(empty_strings(shape)) : TRY(tensor_bytes(type, shape));
  // What has its place was allowed when the plan was made.
  if (places_.empty() || !wants(output)) TRY(host_.allow(bytes));
  if (mode_ == Mode::kDry) {
    TRY(settle(output, Fact::of(type, shape)));
    // Not to be looked into: whoever makes another output first gets no further than that one.
    if (text) {
      outputs_[output] = TRY(Tensor::make({0}, std::vector<std::string>()));
    } else {
      outputs_[output] =
          Tensor::view(type, shape, MutableBytes(static_cast<uint8_t*>(nullptr), bytes));
    }
  } else if (places_.empty()) {
    TRY(settle(output, Fact::of(type, shape)));
    outputs_[output] = TRY(Tensor::unset(type, shape));
  } else {
    TRY(settle(output, Fact::of(type, shape)));
    const Tensor& place = places_[output];
    if (!wants(output)) {
      outputs_[output] = TRY(Tensor::unset(type, shape));
      return const_cast<Tensor*>(outputs_[output].tensor());
    }
    if (place.type() != type || place.shape() != shape)
      return Error{Code::kInvalid, "its outputs have not the shapes that were foretold"};
    outputs_[output] = place;
  }
  return const_cast<Tensor*>(outputs_[output].tensor());
}

Status Computation::fill_place(size_t output, const Tensor& tensor) {
  if (!wants(output)) return {};
  Tensor& place = places_[output];
  if (place.type() != tensor.type() || place.shape() != tensor.shape())
    return Error{Code::kInvalid, "its outputs have not the shapes that were foretold"};
  if (tensor.bytes().size() != 0)
    std::memcpy(place.mutable_bytes().data(), tensor.bytes().data(), tensor.bytes().size());
  outputs_[output] = place;
  return {};
}

Status Computation::give(size_t output, Datum datum) {
  CHECK(output < outputs_.size(), "a function makes the outputs that its node has");
  const Tensor* tensor = datum.tensor();
  if (!places_.empty()) {
    if (tensor == nullptr)
      return Error{Code::kInvalid, "it gives no tensor where one has its place"};
    TRY(fill_place(output, *tensor));
    return settle(output, Fact::of(outputs_[output]));
  }
  outputs_[output] = std::move(datum);
  return settle(output, Fact::of(outputs_[output]));
}

Status Computation::give_reshaped(size_t output, size_t input, const Shape& shape) {
  if (!has(input)) return Error{Code::kInvalid, formatted("its input {} is left out", input)};
  const uint64_t have = TRY(this->shape(input).element_count());
  const uint64_t want = TRY(shape.element_count());
  if (have != want) {
    return Error{Code::kInvalid, formatted("{} elements of shape {} do not fill the shape {}", have,
                                           this->shape(input).text(), shape.text())};
  }
  if (inputs_[input].datum == nullptr) return settle(output, Fact::of(type(input), shape));
  return give(output, TRY(tensor(input))->reshaped(shape));
}

Status Computation::hold(uint64_t bytes) {
  TRY(host_.hold(held_bytes_, bytes));
  held_bytes_ = bytes;
  return {};
}

Result<std::vector<Datum>> Computation::run(const Graph& graph, std::vector<Datum> inputs) {
  if (mode_ == Mode::kDry) return not_known();
  return host_.run(graph, std::move(inputs));
}

std::vector<Fact> Computation::facts() const {
  std::vector<Fact> facts;
  for (size_t i = 0; i < made_.size(); ++i) facts.push_back(made_[i].value_or(Fact{}));
  return facts;
}

}  // namespace casemate::engine
