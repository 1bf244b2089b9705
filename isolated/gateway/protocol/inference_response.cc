// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/inference_response.h"

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

template <class T>
Status append_values(std::string& out, Bytes data, size_t json_bytes_max) {
  for (size_t at = 0; at < data.size(); at += sizeof(T)) {
    const T value = load<T>(data.subspan(at));
    if (at != 0) out += ',';
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value))
        return Error{Code::kInvalid,
                     formatted("element {} is {}, which JSON cannot express; ask for the output "
                               "with the parameter binary_data",
                               at / sizeof(T), value)};
    }
    append_number(out, value);
    if (out.size() > json_bytes_max)
      return Error{Code::kTooLarge,
                   formatted("the JSON answer passes {} bytes; ask for the output with the "
                             "parameter binary_data",
                             json_bytes_max)};
  }
  return {};
}

Status append_strings(std::string& out, Bytes data, size_t json_bytes_max) {
  bool first = true;
  while (!data.empty()) {
    const std::string_view text = next_string(data);
    if (!valid_utf8(text) || out.size() + text.size() > json_bytes_max)
      return Error{Code::kInvalid,
                   "a string is not UTF-8 or too long for JSON; ask for the output with the "
                   "parameter binary_data"};
    if (!std::exchange(first, false)) out += ',';
    append_quoted(out, text);
  }
  return {};
}

Status append_data(std::string& out, const TensorView& tensor, size_t json_bytes_max) {
  if (tensor.type == ElementType::kString) {
    // A private copy, checked here: the enclave could otherwise change a length between check and
    // use.
    const std::vector<uint8_t> copy(tensor.data.begin(), tensor.data.end());
    TRY(check_strings(copy, *tensor.shape.element_count()));
    return append_strings(out, copy, json_bytes_max);
  }
  if (tensor.type == ElementType::kBool) {
    for (size_t i = 0; i < tensor.data.size(); ++i) {
      if (i != 0) out += ',';
      out += tensor.data[i] != 0 ? "true" : "false";
      if (out.size() > json_bytes_max)
        return Error{Code::kTooLarge, "the JSON answer is too long; ask for binary_data"};
    }
    return {};
  }
  return visit_element_type(tensor.type, [&]<class T>(T) -> Status {
    return append_values<T>(out, tensor.data, json_bytes_max);
  });
}

Status append_output(const PortDescription& port, const OutputChoice& choice,
                     const TensorView& tensor, size_t json_bytes_max, InferenceResponse& response) {
  JsonWriter json(response.json);
  json.open('{').key("name").text(port.name.view());
  json.key("datatype").text(name_of(tensor.type)).key("shape").open('[');
  for (const int64_t extent : tensor.shape.dims()) json.number(extent);
  json.close(']');
  if (choice.binary) {
    json.key("parameters").open('{').key("binary_data_size").number(tensor.data.size()).close('}');
    response.tensors.push_back(tensor.data);
    response.binary = true;
  } else {
    json.key("data").open('[');
    const auto appended = append_data(response.json, tensor, json_bytes_max);
    if (!appended)
      return Error{appended.error().code,
                   formatted("output '{}': {}", port.name.view(), appended.error().text)};
    json.close(']');
  }
  json.close('}');
  return {};
}

}  // namespace

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

Status write_inference_response(const ModelLabel& model, const ModelDescription& description,
                                const InferenceRequest& request,
                                std::span<const TensorView> outputs, size_t json_bytes_max,
                                InferenceResponse& response) {
  response.json.clear();
  response.tensors.clear();
  response.made.clear();
  response.binary = false;
  JsonWriter json(response.json);
  json.open('{').key("model_name").text(model.name).key("model_version").text(model.version);
  if (!request.id.empty()) json.key("id").text(request.id);
  json.key("outputs").open('[');
  bool first = true;
  for (const OutputChoice& choice : request.outputs) {
    if (!std::exchange(first, false)) response.json += ',';
    const PortDescription& port = description.outputs[choice.port];
    TensorView tensor = outputs[choice.port];
    if (choice.classes != 0) {
      Classes classes =
          classify(tensor, choice.classes, description.batch_max != 0 && tensor.shape.rank() > 0);
      response.made.push_back(std::move(classes.strings));
      tensor = {ElementType::kString, classes.shape, response.made.back()};
    }
    TRY(append_output(port, choice, tensor, json_bytes_max, response));
  }
  json.close(']').close('}');
  return {};
}

}  // namespace casemate::gateway
