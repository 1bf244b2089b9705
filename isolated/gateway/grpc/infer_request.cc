// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "isolated/gateway/grpc/fields.h"
#include "isolated/gateway/grpc/infer_message.h"
#include "isolated/gateway/grpc/typed_contents.h"
#include "isolated/gateway/protocol/json_text.h"
#include "isolated/gateway/protocol/request_keys.h"

namespace casemate::gateway {
namespace {

using Wire = FieldReader::Wire;

constexpr size_t kMessageHead = 5;
constexpr uint32_t kRawInputs = 7;
// The shortest field: a tag and a value of a byte each.
constexpr size_t kFieldBytesMin = 2;

Error invalid(std::string text) { return {Code::kInvalid, std::move(text)}; }

Error broken(std::string_view what) {
  return invalid(formatted("{} is no protobuf message as inference.proto describes it", what));
}

// A value of InferParameter; which of them it is, its field says.
struct Parameter {
  std::string_view key;
  enum class Kind : uint8_t { kNone, kBoolean, kInteger, kText, kReal } kind = Kind::kNone;
  uint64_t natural = 0;  // of a boolean and of a whole number that is not negative
  bool negative = false;
  std::string_view text;
};

Status read_value(Bytes message, Parameter& parameter) {
  using enum Parameter::Kind;
  FieldReader field(message);
  while (field.next()) {
    parameter.natural = field.value();
    parameter.negative = false;
    if (field.is(1, Wire::kVarint)) {
      parameter.kind = kBoolean;
    } else if (field.is(2, Wire::kVarint)) {
      parameter.kind = kInteger;
      parameter.negative = static_cast<int64_t>(field.value()) < 0;
    } else if (field.is(3, Wire::kBytes)) {
      parameter.kind = kText;
      parameter.text = field.text();
    } else if (field.is(4, Wire::kFixed64)) {
      parameter.kind = kReal;
    } else if (field.is(5, Wire::kVarint)) {
      parameter.kind = kInteger;
    }
  }
  if (field.broken()) return broken("a parameter");
  return {};
}

// An entry of a map: key 1, value 2.
Result<Parameter> read_parameter(Bytes message) {
  Parameter parameter;
  FieldReader field(message);
  while (field.next()) {
    if (field.is(1, Wire::kBytes)) parameter.key = field.text();
    if (field.is(2, Wire::kBytes)) TRY(read_value(field.bytes(), parameter));
  }
  if (field.broken()) return broken("a parameter");
  return parameter;
}

Status check_name(std::string_view text, std::string_view what) {
  if (text.size() > kJsonNameBytes)
    return Error{Code::kTooLarge, formatted("{} is longer than {} bytes", what, kJsonNameBytes)};
  if (text.contains('\0')) return invalid(formatted("{} holds a NUL character", what));
  if (!valid_utf8(text)) return invalid(formatted("{} is not UTF-8", what));
  return {};
}

// Reads one request; every step is a verb below.
class MessageReader final {
 public:
  explicit MessageReader(size_t typed_bytes_max)
      : typed_bytes_max_(typed_bytes_max), read_bytes_left_(typed_bytes_max) {}
  Result<GrpcInferRequest> read(Bytes message);

 private:
  Status charge(const FieldReader& field);
  Status take(const FieldReader& field);
  Status request_parameter(const Parameter& parameter);
  Status read_input(Bytes message);
  Status read_shape(const FieldReader& field, std::vector<int64_t>& dims, const std::string& name);
  Status read_output(Bytes message);
  Status output_parameter(const Parameter& parameter, JsonOutput& output);
  Status shared_memory(const Parameter& parameter, Place place) const;
  Status place_contents();
  Status place_typed(size_t index);

  const size_t typed_bytes_max_;
  size_t read_bytes_left_;
  GrpcInferRequest result_;
  std::vector<std::vector<Bytes>> contents_;  // of each input
  std::vector<Bytes> raw_;
  size_t parameters_ = 0;
};

Status MessageReader::request_parameter(const Parameter& parameter) {
  using enum Parameter::Kind;
  const bool natural = parameter.kind == kInteger && !parameter.negative;
  switch (field_of(Place::kParameters, parameter.key)) {
    case Field::kReserved:
      return invalid(
          formatted("the parameter '{}' is reserved; leave it out", printable(parameter.key, 64)));
    case Field::kTimeout:
      if (!natural) return invalid("the parameter timeout takes a whole number of microseconds");
      result_.request.timeout_us = parameter.natural;
      return {};
    case Field::kPriority:
      if (!natural) return invalid("the parameter priority takes a whole number, 0 or more");
      return {};
    case Field::kSequence:
      if ((natural && parameter.natural == 0) ||
          (parameter.kind == kText && parameter.text.empty()))
        return {};
      return invalid(
          "the parameter sequence_id is not supported: models here keep no state between requests; "
          "leave it out");
    default:
      return {};
  }
}

Status MessageReader::shared_memory(const Parameter& parameter, Place place) const {
  if (field_of(place, parameter.key) != Field::kSharedMemory) return {};
  return invalid(
      "shared memory is not offered, since a client's memory lies outside the wall; send tensors "
      "in the request");
}

Status MessageReader::read_shape(const FieldReader& field, std::vector<int64_t>& dims,
                                 const std::string& name) {
  Bytes packed = field.bytes();
  uint64_t value = field.value();
  while (field.wire() == Wire::kVarint || !packed.empty()) {
    if (field.wire() == Wire::kBytes && !take_varint(packed, value)) return broken("a shape");
    if (dims.size() == limits::kRank)
      return invalid(formatted("input '{}': shape has more than {} extents", name, limits::kRank));
    dims.push_back(static_cast<int64_t>(value));
    if (dims.back() < 0)
      return invalid(
          formatted("input '{}': shape has the negative extent {}; a request gives every extent as "
                    "it is",
                    name, dims.back()));
    if (field.wire() == Wire::kVarint) break;
  }
  return {};
}

Status MessageReader::read_input(Bytes message) {
  if (result_.request.inputs.size() == limits::kModelPorts)
    return Error{Code::kTooLarge,
                 formatted("a request has at most {} inputs", limits::kModelPorts)};
  JsonInput& input = result_.request.inputs.emplace_back();
  auto& contents = contents_.emplace_back();
  std::string shown = formatted("{}", contents_.size());
  std::vector<int64_t> dims;
  FieldReader field(message);
  while (field.next()) {
    if (field.is(1, Wire::kBytes)) {
      TRY(check_name(field.text(), "the name of an input"));
      input.name = field.text();
      shown = printable(input.name, 64);
    } else if (field.is(2, Wire::kBytes)) {
      input.type = element_type_named(field.text());
      if (!input.type)
        return invalid(
            formatted("input '{}': '{}' is no datatype; they are BOOL, UINT8, UINT16, "
                      "UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, BF16, FP32, "
                      "FP64, BYTES",
                      shown, printable(field.text(), 32)));
    } else if (field.is(3, Wire::kBytes) || field.is(3, Wire::kVarint)) {
      TRY(read_shape(field, dims, shown));
    } else if (field.is(4, Wire::kBytes)) {
      if (++parameters_ > kJsonKeys) return invalid("there are too many parameters");
      TRY(shared_memory(TRY(read_parameter(field.bytes())), Place::kInputParameters));
    } else if (field.is(5, Wire::kBytes)) {
      // Each is a view of 16 bytes for as little as 2, and a writer of good will sends one.
      if (contents.size() == limits::kModelPorts)
        return Error{Code::kTooLarge, formatted("input '{}' has more than {} pieces of contents",
                                                shown, limits::kModelPorts)};
      contents.push_back(field.bytes());
    }
  }
  if (field.broken()) return broken("an input");
  if (!input.type) return invalid(formatted("input '{}' has no datatype", shown));
  input.shape = Shape(dims);
  return {};
}

Status MessageReader::output_parameter(const Parameter& parameter, JsonOutput& output) {
  TRY(shared_memory(parameter, Place::kOutputParameters));
  if (field_of(Place::kOutputParameters, parameter.key) != Field::kClassification) return {};
  const bool natural = parameter.kind == Parameter::Kind::kInteger && !parameter.negative;
  if (!natural || parameter.natural == 0 || parameter.natural > 1u << 20)
    return invalid(
        formatted("requested output '{}': classification takes the number of classes, from 1 to "
                  "1048576",
                  printable(output.name, 64)));
  output.classes = static_cast<uint32_t>(parameter.natural);
  return {};
}

Status MessageReader::read_output(Bytes message) {
  if (result_.request.outputs.size() == limits::kModelPorts)
    return Error{Code::kTooLarge,
                 formatted("a request has at most {} requested outputs", limits::kModelPorts)};
  JsonOutput& output = result_.request.outputs.emplace_back();
  FieldReader field(message);
  while (field.next()) {
    if (field.is(1, Wire::kBytes)) {
      TRY(check_name(field.text(), "the name of a requested output"));
      output.name = field.text();
    } else if (field.is(2, Wire::kBytes)) {
      if (++parameters_ > kJsonKeys) return invalid("there are too many parameters");
      TRY(output_parameter(TRY(read_parameter(field.bytes())), output));
    }
  }
  if (field.broken()) return broken("a requested output");
  return {};
}

// What is not raw is read field by field, whatever it says: it takes time, and so it is bounded.
Status MessageReader::charge(const FieldReader& field) {
  size_t size = kFieldBytesMin;
  if (field.number() != kRawInputs) size += field.bytes().size();
  if (size > read_bytes_left_)
    return Error{Code::kTooLarge,
                 formatted("more than {} bytes of the request are not in raw_input_contents; send "
                           "tensors there",
                           typed_bytes_max_)};
  read_bytes_left_ -= size;
  return {};
}

Status MessageReader::take(const FieldReader& field) {
  if (field.wire() != Wire::kBytes) return {};
  switch (field.number()) {
    case 1:
      result_.model = field.text();
      return {};
    case 2:
      result_.version = field.text();
      return {};
    case 3:
      TRY(check_name(field.text(), "id"));
      result_.request.id = field.text();
      return {};
    case 4:
      if (++parameters_ > kJsonKeys) return invalid("there are too many parameters");
      return request_parameter(TRY(read_parameter(field.bytes())));
    case 5:
      return read_input(field.bytes());
    case 6:
      return read_output(field.bytes());
    case kRawInputs:
      if (raw_.size() == limits::kModelPorts)
        return Error{Code::kTooLarge,
                     formatted("a request has at most {} raw_input_contents", limits::kModelPorts)};
      raw_.push_back(field.bytes());
      return {};
    default:
      return {};
  }
}

Status MessageReader::place_typed(size_t index) {
  JsonInput& input = result_.request.inputs[index];
  auto typed = read_typed_contents(*input.type, contents_[index]);
  const std::string shown = printable(input.name, 64);
  if (!typed)
    return Error{typed.error().code, formatted("input '{}': {}", shown, typed.error().text)};
  const auto count = input.shape->element_count();
  if (!count)
    return Error{count.error().code, formatted("input '{}': {}", shown, count.error().text)};
  if (*count != typed->count)
    return invalid(formatted("input '{}': shape {} takes {} elements, its contents have {}", shown,
                             input.shape->text(), *count, typed->count));
  input.decoded = true;
  input.element_count = typed->count;
  input.data = std::move(typed->bytes);
  return {};
}

// Each input gets its bytes: all of them from raw_input_contents, or none.
Status MessageReader::place_contents() {
  auto& inputs = result_.request.inputs;
  if (raw_.empty()) {
    for (size_t i = 0; i < inputs.size(); ++i) TRY(place_typed(i));
    return {};
  }
  const bool mixed = std::ranges::any_of(contents_, [](const auto& c) { return !c.empty(); });
  if (mixed)
    return invalid("contents and raw_input_contents exclude each other; send all tensors raw");
  if (raw_.size() != inputs.size())
    return invalid(formatted("{} raw_input_contents for {} inputs; each takes one, in their order",
                             raw_.size(), inputs.size()));
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i].raw = raw_[i];
  return {};
}

Result<GrpcInferRequest> MessageReader::read(Bytes message) {
  FieldReader field(message);
  while (field.next()) {
    TRY(charge(field));
    TRY(take(field));
  }
  if (field.broken()) return broken("the request");
  TRY(place_contents());
  result_.request.binary_output = true;
  return std::move(result_);
}

}  // namespace

Result<Bytes> single_message(Bytes body) {
  if (body.size() < kMessageHead) return invalid("the call carries no message");
  uint64_t size = 0;
  for (const uint8_t byte : body.subspan(1, 4)) size = size << 8 | byte;
  if (body[0] > 1) return invalid("the message's first byte is neither 0 nor 1");
  if (body[0] == 1)
    return Error{Code::kUnsupported,
                 "compressed messages are not offered; send them as they are, without "
                 "grpc-encoding"};
  if (size != body.size() - kMessageHead)
    return invalid(
        formatted("the call carries {} bytes behind the message's head, which says {}; "
                  "it takes one message",
                  body.size() - kMessageHead, size));
  return body.subspan(kMessageHead);
}

size_t typed_bytes(Bytes message, size_t enough) {
  size_t bytes = 0;
  FieldReader field(message);
  while (bytes < enough && field.next()) {
    bytes += kFieldBytesMin;
    if (field.number() != kRawInputs) bytes += field.bytes().size();
  }
  return bytes;
}

Result<GrpcInferRequest> read_infer_request(Bytes message, size_t typed_bytes_max) {
  return MessageReader(typed_bytes_max).read(message);
}

}  // namespace casemate::gateway
