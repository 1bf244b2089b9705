// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/request_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "isolated/gateway/protocol/elements.h"
#include "isolated/gateway/protocol/nesting.h"
#include "isolated/gateway/protocol/request_keys.h"

namespace casemate::gateway {
namespace {

struct Value {
  enum class Kind : uint8_t { kNull, kBoolean, kInteger, kNatural, kReal, kText };
  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;
  uint64_t natural = 0;
  std::string* text = nullptr;
};

struct Level {
  Place place = Place::kDocument;
  Field field = Field::kUnknown;  // of the key that was read last
  uint32_t seen = 0;              // bit per Field
  uint32_t keys = 0;
  std::vector<std::string> others;  // keys that are not fields, for finding duplicates
};

// The events of nlohmann's SAX parser. `data` that stand before their datatype or shape (a sorted
// object does that) are skipped, and a second pass over the same text decodes them.
class Reader final {
 public:
  Reader(std::string_view json, RequestJson& out, bool second_pass)
      : json_(json), out_(out), second_pass_(second_pass) {}

  bool null() { return scalar({}); }
  bool boolean(bool value) {
    if (in_data()) return element([&] { return elements_->put_boolean(value); });
    return scalar({.kind = Value::Kind::kBoolean, .boolean = value});
  }
  bool number_integer(int64_t value) {
    if (in_data()) return element([&] { return elements_->put_integer(value); });
    return scalar({.kind = Value::Kind::kInteger, .integer = value});
  }
  bool number_unsigned(uint64_t value) {
    if (in_data()) return element([&] { return elements_->put_natural(value); });
    return scalar({.kind = Value::Kind::kNatural, .natural = value});
  }
  bool number_float(double value, const std::string& literal) {
    if (in_data()) return element([&] { return elements_->put_real(value, literal); });
    return scalar({.kind = Value::Kind::kReal});
  }
  bool string(std::string& value) {
    if (in_data()) return element([&] { return elements_->put_text(value); });
    return scalar({.kind = Value::Kind::kText, .text = &value});
  }
  bool binary(std::vector<uint8_t>&) { return refuse("binary values are not JSON"); }
  bool start_object(size_t);
  bool end_object();
  bool start_array(size_t);
  bool end_array();
  bool key(std::string& text);
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error);

  [[nodiscard]] bool deferred() const { return deferred_; }
  [[nodiscard]] Error error() const { return {code_, why_}; }

 private:
  Level& top() { return levels_[depth_]; }
  bool in_data() { return top().place == Place::kData; }
  bool enter(Place place);
  bool scalar(const Value& value);
  bool request_field(Field field, const Value& value);
  bool request_parameter(Field field, const Value& value);
  bool input_field(Field field, const Value& value);
  bool output_field(Field field, const Value& value);
  bool output_parameter(Field field, const Value& value);
  bool parameter_kind(const Value& value);
  bool take_name(std::string& name, const Value& value, std::string_view what);
  bool extent(const Value& value);
  bool start_data();
  bool end_data();
  template <class Put>
  bool element(Put put);
  bool refuse(std::string why, Code code = Code::kInvalid);
  std::string here();

  std::string_view json_;
  RequestJson& out_;
  const bool second_pass_;
  bool deferred_ = false;
  std::array<Level, kJsonDepth + 1> levels_;
  uint32_t depth_ = 0;
  uint32_t keys_ = 0;
  size_t input_ = 0;  // index of the input being read, plus one
  std::vector<int64_t> dims_;
  std::optional<Elements> elements_;
  Nesting nesting_;
  Code code_ = Code::kInvalid;
  std::string why_ = "the JSON part is not sound";
};

bool Reader::refuse(std::string why, Code code) {
  why_ = std::move(why);
  code_ = code;
  return false;
}

// "input 'x'", or "input 2" as long as its name has not been seen.
std::string Reader::here() {
  for (uint32_t level = depth_; level > 0; --level) {
    const Place place = levels_[level].place;
    if (place == Place::kInput && !out_.inputs.empty()) {
      const std::string& name = out_.inputs[input_ - 1].name;
      return name.empty() ? formatted("input {}", input_)
                          : formatted("input '{}'", printable(name, 64));
    }
    if (place == Place::kOutput && !out_.outputs.empty()) {
      const std::string& name = out_.outputs.back().name;
      return name.empty() ? formatted("requested output {}", out_.outputs.size())
                          : formatted("requested output '{}'", printable(name, 64));
    }
  }
  return "the request";
}

bool Reader::enter(Place place) {
  if (depth_ == kJsonDepth)
    return refuse(formatted("the JSON part is nested deeper than {} levels", kJsonDepth),
                  Code::kTooLarge);
  ++depth_;
  Level& level = top();
  level.place = place;
  level.field = Field::kUnknown;
  level.seen = 0;
  level.keys = 0;
  level.others.clear();
  return true;
}

bool Reader::start_object(size_t) {
  const Level& outer = top();
  switch (outer.place) {
    case Place::kDocument:
      return enter(Place::kRequest);
    case Place::kInputs:
      ++input_;
      if (!second_pass_) {
        if (out_.inputs.size() == limits::kModelPorts)
          return refuse(formatted("a request has at most {} inputs", limits::kModelPorts),
                        Code::kTooLarge);
        out_.inputs.emplace_back();
      }
      return enter(Place::kInput);
    case Place::kOutputs:
      if (!second_pass_) {
        if (out_.outputs.size() == limits::kModelPorts)
          return refuse(
              formatted("a request has at most {} requested outputs", limits::kModelPorts),
              Code::kTooLarge);
        out_.outputs.emplace_back();
      }
      return enter(Place::kOutput);
    case Place::kRequest:
      if (outer.field == Field::kParameters) return enter(Place::kParameters);
      break;
    case Place::kInput:
      if (outer.field == Field::kParameters) return enter(Place::kInputParameters);
      break;
    case Place::kOutput:
      if (outer.field == Field::kParameters) return enter(Place::kOutputParameters);
      break;
    case Place::kData:
      return refuse(here() +
                    ": data holds an object; it takes numbers, booleans "
                    "or strings, nested or flat");
    default:
      break;
  }
  if (outer.place == Place::kShape) return refuse(here() + ": shape takes whole numbers");
  if (skippable(outer.place, outer.field)) return enter(Place::kIgnored);
  return refuse(here() + ": an object stands where it does not belong");
}

bool Reader::end_object() {
  --depth_;
  return true;
}

bool Reader::start_array(size_t) {
  const Level& outer = top();
  switch (outer.place) {
    case Place::kDocument:
      return refuse("the JSON part is an array; an inference request is an object");
    case Place::kRequest:
      if (outer.field == Field::kInputs) return enter(Place::kInputs);
      if (outer.field == Field::kOutputs) return enter(Place::kOutputs);
      break;
    case Place::kInput:
      if (outer.field == Field::kShape) {
        dims_.clear();
        return enter(Place::kShape);
      }
      if (outer.field == Field::kData) return start_data();
      break;
    case Place::kData:
      if (!nesting_.open())
        return refuse(here() + ": data is nested unevenly; give it flat, or nested as shape says");
      return enter(Place::kData);
    default:
      break;
  }
  if (outer.place == Place::kShape) return refuse(here() + ": shape takes whole numbers");
  if (skippable(outer.place, outer.field)) return enter(Place::kIgnored);
  return refuse(here() + ": an array stands where it does not belong");
}

bool Reader::end_array() {
  const Place place = top().place;
  --depth_;
  if (place == Place::kData) {
    if (!nesting_.close())
      return refuse(here() + ": data is nested unevenly; give it flat, or nested as shape says");
    return in_data() || end_data();
  }
  if (place == Place::kShape && !second_pass_) out_.inputs[input_ - 1].shape = Shape(dims_);
  return true;
}

bool Reader::key(std::string& text) {
  Level& level = top();
  if (++level.keys > kJsonKeysPerObject || ++keys_ > kJsonKeys)
    return refuse(formatted("the JSON part has more than {} keys in one object, or {} in all",
                            kJsonKeysPerObject, kJsonKeys),
                  Code::kTooLarge);
  level.field = field_of(level.place, text);
  if (level.field == Field::kReserved)
    return refuse(formatted("the parameter '{}' is reserved; leave it out", printable(text, 64)));
  if (level.field == Field::kSharedMemory)
    return refuse(here() +
                  ": shared memory is not offered, since a client's memory lies outside the wall; "
                  "send the tensor in the request");
  bool duplicate = false;
  if (level.field != Field::kUnknown) {
    const uint32_t bit = 1u << static_cast<uint32_t>(level.field);
    duplicate = (level.seen & bit) != 0;
    level.seen |= bit;
  } else {
    duplicate = std::ranges::contains(level.others, text);
    level.others.push_back(text);
  }
  if (duplicate)
    return refuse(formatted("{}: the key '{}' appears twice", here(), printable(text, 64)));
  return true;
}

bool Reader::parse_error(size_t position, const std::string&,
                         const nlohmann::json::exception& error) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...; last read
  // ..."
  std::string_view what = error.what();
  if (const auto end = what.find("; last read"); end != what.npos) what = what.substr(0, end);
  if (const auto end = what.find(": '"); end != what.npos) what = what.substr(0, end);
  const auto start = what.find(": ");
  const auto bracket = what.find("] ");
  if (start != what.npos) {
    what = what.substr(start + 2);
  } else if (bracket != what.npos) {
    what = what.substr(bracket + 2);
  }
  return refuse(formatted("the JSON part ({} bytes) is wrong at byte {}: {}", json_.size(),
                          position, printable(what, 160)));
}

bool Reader::scalar(const Value& value) {
  const Level& level = top();
  switch (level.place) {
    case Place::kDocument:
      return refuse("the JSON part is no object");
    case Place::kInputs:
    case Place::kOutputs:
      return refuse("inputs and outputs hold objects, one for each tensor");
    case Place::kShape:
      return second_pass_ || extent(value);
    case Place::kIgnored:
      return true;
    default:
      break;
  }
  if (second_pass_) return true;
  switch (level.place) {
    case Place::kRequest:
      return request_field(level.field, value);
    case Place::kParameters:
      return parameter_kind(value) && request_parameter(level.field, value);
    case Place::kInput:
      return input_field(level.field, value);
    case Place::kOutput:
      return output_field(level.field, value);
    case Place::kOutputParameters:
      return parameter_kind(value) && output_parameter(level.field, value);
    case Place::kInputParameters:
      if (!parameter_kind(value)) return false;
      if (level.field != Field::kBinarySize) return true;
      if (value.kind != Value::Kind::kNatural)
        return refuse(here() + ": binary_data_size takes a number of bytes, 0 or more");
      out_.inputs[input_ - 1].binary_size = value.natural;
      return true;
    default:
      return true;
  }
}

bool Reader::parameter_kind(const Value& value) {
  if (value.kind != Value::Kind::kNull) return true;
  return refuse(here() + ": a parameter is null; parameters are strings, numbers or booleans");
}

bool Reader::take_name(std::string& name, const Value& value, std::string_view what) {
  if (value.kind != Value::Kind::kText)
    return refuse(formatted("{}: {} takes a string", here(), what));
  if (value.text->size() > kJsonNameBytes)
    return refuse(formatted("{}: {} is longer than {} bytes", here(), what, kJsonNameBytes),
                  Code::kTooLarge);
  if (value.text->contains('\0'))
    return refuse(formatted("{}: {} holds a NUL character", here(), what));
  name = std::move(*value.text);
  return true;
}

bool Reader::request_field(Field field, const Value& value) {
  if (field == Field::kUnknown) return true;
  if (field == Field::kId) return take_name(out_.id, value, "id");
  return refuse("inputs and outputs take arrays, parameters an object");
}

bool Reader::request_parameter(Field field, const Value& value) {
  switch (field) {
    case Field::kBinaryOutput:
      if (value.kind != Value::Kind::kBoolean)
        return refuse("the parameter binary_data_output takes true or false");
      out_.binary_output = value.boolean;
      return true;
    case Field::kTimeout:
      if (value.kind != Value::Kind::kNatural)
        return refuse("the parameter timeout takes a whole number of microseconds");
      out_.timeout_us = value.natural;
      return true;
    case Field::kPriority:
      // There is one queue and it has one level, where Triton too ignores the value.
      return value.kind == Value::Kind::kNatural ||
             refuse("the parameter priority takes a whole number, 0 or more");
    case Field::kSequence: {
      const bool none = (value.kind == Value::Kind::kNatural && value.natural == 0) ||
                        (value.kind == Value::Kind::kText && value.text->empty());
      return none || refuse(
                         "the parameter sequence_id is not supported: models here keep no state "
                         "between requests; leave it out");
    }
    default:
      return true;
  }
}

bool Reader::input_field(Field field, const Value& value) {
  JsonInput& input = out_.inputs[input_ - 1];
  switch (field) {
    case Field::kName:
      return take_name(input.name, value, "name");
    case Field::kDatatype: {
      std::string text;
      if (!take_name(text, value, "datatype")) return false;
      input.type = element_type_named(text);
      return input.type.has_value() ||
             refuse(formatted("{}: '{}' is no datatype; they are BOOL, UINT8, UINT16, UINT32, "
                              "UINT64, INT8, INT16, INT32, INT64, FP16, BF16, FP32, FP64, BYTES",
                              here(), printable(text, 32)));
    }
    case Field::kShape:
      return refuse(here() + ": shape takes an array of whole numbers");
    case Field::kData:
      return refuse(here() + ": data takes an array");
    case Field::kParameters:
      return refuse(here() + ": parameters takes an object");
    default:
      return true;
  }
}

bool Reader::output_field(Field field, const Value& value) {
  if (field == Field::kName) return take_name(out_.outputs.back().name, value, "name");
  if (field == Field::kParameters) return refuse(here() + ": parameters takes an object");
  return true;
}

bool Reader::output_parameter(Field field, const Value& value) {
  JsonOutput& output = out_.outputs.back();
  if (field == Field::kBinary) {
    if (value.kind != Value::Kind::kBoolean)
      return refuse(here() + ": binary_data takes true or false");
    output.binary = value.boolean;
  } else if (field == Field::kClassification) {
    if (value.kind != Value::Kind::kNatural || value.natural == 0 || value.natural > 1u << 20)
      return refuse(here() + ": classification takes the number of classes, from 1 to 1048576");
    output.classes = static_cast<uint32_t>(value.natural);
  }
  return true;
}

bool Reader::extent(const Value& value) {
  if (value.kind == Value::Kind::kInteger && value.integer < 0)
    return refuse(
        formatted("{}: shape has the negative extent {}; a request gives every extent "
                  "as it is",
                  here(), value.integer));
  const bool whole = value.kind == Value::Kind::kNatural || value.kind == Value::Kind::kInteger;
  const uint64_t extent = value.kind == Value::Kind::kNatural ? value.natural : 0;
  if (!whole || extent > INT64_MAX)
    return refuse(here() + ": shape takes whole numbers from 0 to 2^63-1");
  if (dims_.size() == limits::kRank)
    return refuse(formatted("{}: shape has more than {} dimensions", here(), limits::kRank),
                  Code::kTooLarge);
  dims_.push_back(static_cast<int64_t>(extent));
  return true;
}

bool Reader::start_data() {
  JsonInput& input = out_.inputs[input_ - 1];
  nesting_ = Nesting();
  nesting_.open();
  if (input.decoded) return enter(Place::kIgnored);
  if (!input.type || !input.shape) {
    deferred_ = true;
    return enter(Place::kIgnored);
  }
  const auto expected = input.shape->element_count();
  // An element takes at least a character and a comma.
  auto elements = Elements::make(
      *input.type, std::min<uint64_t>(expected ? *expected : 0, json_.size() / 2 + 1));
  if (!elements) return refuse(here() + ": " + elements.error().text, elements.error().code);
  elements_.emplace(*std::move(elements));
  return enter(Place::kData);
}

template <class Put>
bool Reader::element(Put put) {
  if (!nesting_.leaf())
    return refuse(here() + ": data is nested unevenly; give it flat, or nested as shape says");
  return put() || refuse(here() + ": " + elements_->why());
}

bool Reader::end_data() {
  JsonInput& input = out_.inputs[input_ - 1];
  input.element_count = elements_->count();
  input.data = elements_->take();
  input.decoded = true;
  elements_.reset();
  if (nesting_.fits(*input.shape, input.element_count)) return true;
  return refuse(
      formatted("{}: data has {} elements, nested as {}; shape {} is another; give "
                "data flat, or nested as shape says",
                here(), input.element_count, nesting_.text(), input.shape->text()));
}

Status run(std::string_view json, RequestJson& out, bool second_pass, bool& deferred) {
  Reader reader(json, out, second_pass);
  // The seam to a library that throws: what it allocates is bounded by the text, so only a machine
  // without memory gets here.
  try {
    if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) return reader.error();
  } catch (const std::exception&) {
    return Error{Code::kUnavailable, "there is no memory to read the JSON part; try again later"};
  }
  deferred = reader.deferred();
  return {};
}

}  // namespace

Result<RequestJson> read_request_json(std::string_view json) {
  RequestJson request;
  bool deferred = false;
  TRY(run(json, request, false, deferred));
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const JsonInput& input = request.inputs[i];
    if (input.name.empty()) return Error{Code::kInvalid, formatted("input {} has no name", i + 1)};
    if (!input.type || !input.shape)
      return Error{Code::kInvalid, formatted("input '{}' has no {}", printable(input.name, 64),
                                             input.type ? "shape" : "datatype")};
  }
  if (deferred) TRY(run(json, request, true, deferred));
  return request;
}

}  // namespace casemate::gateway
