// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/inference_response.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/format.h"
#include "isolated/gateway/protocol/classify.h"
#include "isolated/gateway/protocol/element_visit.h"
#include "isolated/gateway/protocol/elements.h"
#include "isolated/gateway/protocol/json_text.h"

namespace casemate::gateway {
namespace {

Error lie(const PortDescription& port, std::string_view what) {
  return {Code::kPartitionFailed,
          formatted("the model's enclave answered output '{}' with {}; its operator should look "
                    "at it",
                    port.name.view(), what)};
}

// Of a string that is checked and escaped at a time.
constexpr size_t kPiece = 4 << 10;
// An empty string is four bytes on the wire and two quotation marks as text; none shrinks more.
constexpr size_t kWirePerText = 2;

Error too_long(size_t json_bytes_max) {
  return {Code::kTooLarge,
          formatted("the JSON answer passes {} bytes; ask for the output with the parameter "
                    "binary_data",
                    json_bytes_max)};
}

// `a` + `b`, or the most that there is.
size_t sum(size_t a, size_t b) { return a + std::min(b, SIZE_MAX - a); }

bool has_batch(const ModelDescription& description, const TensorView& tensor) {
  return description.batch_max != 0 && tensor.shape.rank() > 0;
}

// "0.12345678:123", with its comma.
constexpr uint64_t kClassText = 18;

// Of an element with its comma, more often than not.
uint64_t usual_text(ElementType type) {
  switch (type) {
    case ElementType::kBool:
      return 6;
    case ElementType::kFloat32:
      return 11;
    case ElementType::kFloat64:
      return 19;
    default:
      return 2 * size_of(type) + 2;
  }
}

}  // namespace

uint64_t expected_text(const InferenceRequest& request, std::span<const TensorView> outputs) {
  uint64_t bytes = 0;
  for (const OutputChoice& choice : request.outputs) {
    const TensorView& tensor = outputs[choice.port];
    if (tensor.type == ElementType::kString) {
      if (!choice.binary) bytes += tensor.data.size();
      continue;
    }
    const uint64_t elements = tensor.data.size() / size_of(tensor.type);
    if (choice.classes != 0) {
      const uint64_t chosen = std::min(elements, choice.classes * request.batch);
      bytes += elements + chosen * kClassText;
    } else if (!choice.binary) {
      bytes += elements * usual_text(tensor.type);
    }
  }
  return bytes;
}

Status check_outputs(const ModelDescription& description, std::span<const TensorView> outputs) {
  if (outputs.size() != description.output_count)
    return Error{Code::kPartitionFailed,
                 formatted("the model's enclave answered with {} outputs instead of {}",
                           outputs.size(), description.output_count)};
  for (size_t i = 0; i < outputs.size(); ++i) {
    const PortDescription& port = description.outputs[i];
    const TensorView& tensor = outputs[i];
    if (tensor.type != port.element_type()) return lie(port, "another datatype");
    if (!tensor.shape.known() || !port.shape().admits(tensor.shape))
      return lie(port, "a shape that its description does not allow");
    const auto size = tensor.shape.byte_size(tensor.type);
    const bool fixed = tensor.type != ElementType::kString;
    if (!size || (fixed && *size != tensor.data.size())) return lie(port, "the wrong size");
    if (!fixed && tensor.data.size() > limits::kTensorBytes) return lie(port, "the wrong size");
  }
  return {};
}

void ResponseWriter::clear() {
  response_.json.clear();
  response_.tensors.clear();
  response_.made.clear();
  response_.binary = false;
  begun_ = opened_ = in_string_ = false;
  choice_ = 0;
}

void ResponseWriter::begin(const Source& source) {
  begun_ = true;
  JsonWriter json(response_.json);
  json.open('{').key("model_name").text(source.model.name);
  json.key("model_version").text(source.model.version);
  if (!source.request.id.empty()) json.key("id").text(source.request.id);
  json.key("outputs").open('[');
}

// All of an output but its data as text.
Status ResponseWriter::open(const Source& source, const OutputChoice& choice,
                            size_t json_bytes_max) {
  opened_ = true;
  if (choice_ != 0) response_.json += ',';
  TensorView tensor = source.outputs[choice.port];
  if (choice.classes != 0) {
    Classes classes = classify(tensor, choice.classes, has_batch(source.description, tensor));
    response_.made.push_back(std::move(classes.strings));
    tensor = {ElementType::kString, classes.shape, response_.made.back()};
  }
  JsonWriter json(response_.json);
  json.open('{').key("name").text(source.description.outputs[choice.port].name.view());
  json.key("datatype").text(name_of(tensor.type)).key("shape").open('[');
  for (const int64_t extent : tensor.shape.dims()) json.number(extent);
  json.close(']');
  if (!choice.binary) {
    json.key("data").open('[');
    return open_data(tensor, json_bytes_max);
  }
  json.key("parameters").open('{').key("binary_data_size").number(tensor.data.size()).close('}');
  response_.tensors.push_back(tensor.data);
  response_.binary = true;
  elements_ = left_ = {};
  return {};
}

Status ResponseWriter::open_data(const TensorView& tensor, size_t json_bytes_max) {
  type_ = tensor.type;
  elements_ = left_ = tensor.data;
  if (type_ != ElementType::kString) return {};
  if (tensor.data.size() / kWirePerText > json_bytes_max) return too_long(json_bytes_max);
  // A private copy, checked here: the enclave could otherwise change a length between check and
  // use.
  strings_.assign(tensor.data.begin(), tensor.data.end());
  elements_ = left_ = strings_;
  return check_strings(strings_, *tensor.shape.element_count());
}

template <class T>
Status ResponseWriter::append_values(size_t stop) {
  std::string& out = response_.json;
  Bytes left = left_;
  while (!left.empty() && out.size() < stop) {
    const T value = load<T>(left);
    if (left.size() != elements_.size()) out += ',';
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value))
        return Error{Code::kInvalid,
                     formatted("element {} is {}, which JSON cannot express; ask for the output "
                               "with the parameter binary_data",
                               (elements_.size() - left.size()) / sizeof(T), value)};
    }
    append_number(out, value);
    left = left.subspan(sizeof(T));
  }
  left_ = left;
  return {};
}

Status ResponseWriter::append_strings(size_t stop) {
  std::string& out = response_.json;
  while (!written() && out.size() < stop) {
    if (!in_string_) {
      out += left_.size() == elements_.size() ? "\"" : ",\"";
      string_ = next_string(left_);
      in_string_ = true;
    }
    const std::string_view piece = utf8_piece(string_, kPiece);
    if (!valid_utf8(piece))
      return Error{Code::kInvalid,
                   "a string is not UTF-8; ask for the output with the parameter binary_data"};
    append_escaped(out, piece);
    string_.remove_prefix(piece.size());
    if (!string_.empty()) continue;
    out += '"';
    in_string_ = false;
  }
  return {};
}

void ResponseWriter::append_truths(size_t stop) {
  std::string& out = response_.json;
  for (; !left_.empty() && out.size() < stop; left_ = left_.subspan(1)) {
    if (left_.size() != elements_.size()) out += ',';
    out += left_[0] != 0 ? "true" : "false";
  }
}

// Until the text is `stop` long, or the data ends.
Status ResponseWriter::append(size_t json_bytes_max, size_t stop) {
  stop = std::min(stop, sum(json_bytes_max, 1));
  if (type_ == ElementType::kString) {
    TRY(append_strings(stop));
  } else if (type_ == ElementType::kBool) {
    append_truths(stop);
  } else {
    TRY(visit_element_type(type_, [&]<class T>(T) { return append_values<T>(stop); }));
  }
  if (response_.json.size() > json_bytes_max) return too_long(json_bytes_max);
  return {};
}

Result<bool> ResponseWriter::write(const Source& source, size_t json_bytes_max, size_t text_bytes) {
  std::string& json = response_.json;
  const size_t stop = sum(json.size(), text_bytes);
  if (!begun_) begin(source);
  for (; choice_ < source.request.outputs.size(); ++choice_) {
    if (json.size() >= stop) return false;
    const OutputChoice& choice = source.request.outputs[choice_];
    Status done;
    if (!opened_) done = open(source, choice, json_bytes_max);
    if (done && !choice.binary) done = append(json_bytes_max, stop);
    if (!done)
      return Error{done.error().code,
                   formatted("output '{}': {}", source.description.outputs[choice.port].name.view(),
                             done.error().text)};
    if (!written()) return false;
    json += choice.binary ? "}" : "]}";
    opened_ = false;
  }
  json += "]}";
  return true;
}

}  // namespace casemate::gateway
