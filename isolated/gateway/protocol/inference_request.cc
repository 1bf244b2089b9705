// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/inference_request.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "isolated/gateway/protocol/elements.h"
#include "isolated/gateway/protocol/request_json.h"

namespace casemate::gateway {
namespace {

constexpr std::string_view kLengthHeader = "Inference-Header-Content-Length";
// Three months: beyond that a timeout is a mistake, and microseconds still fit nanoseconds.
constexpr uint64_t kTimeoutMaxUs = 90ull * 24 * 3600 * 1'000'000;

Error invalid(std::string text) { return {Code::kInvalid, std::move(text)}; }

std::span<const PortDescription> inputs_of(const ModelDescription& model) {
  return std::span(model.inputs).first(model.input_count);
}
std::span<const PortDescription> outputs_of(const ModelDescription& model) {
  return std::span(model.outputs).first(model.output_count);
}

std::string names_of(std::span<const PortDescription> ports) {
  std::string names;
  for (const PortDescription& port : ports) {
    if (!names.empty()) names += ", ";
    names += printable(port.name.view(), 64);
    if (names.size() > 300) return names + ", ...";
  }
  return names;
}

Result<uint64_t> parse_length(std::string_view text, size_t body_size) {
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    return invalid(formatted("{} is '{}'; it takes the JSON part's number of bytes in digits",
                             kLengthHeader, printable(text, 32)));
  if (length > body_size)
    return invalid(
        formatted("{} is {}, but the body has only {} bytes", kLengthHeader, length, body_size));
  return length;
}

// Bytes that a port's tensor of that shape must have, or an error that begins with the port's name.
Result<uint64_t> expected_bytes(const PortDescription& port, const Shape& shape) {
  const auto size = shape.byte_size(port.element_type());
  if (size) return *size;
  return Error{size.error().code, formatted("input '{}': {}", port.name.view(), size.error().text)};
}

Status check_content(const PortDescription& port, const Shape& shape, Bytes data) {
  if (port.element_type() == ElementType::kString) {
    const auto checked = check_strings(data, *shape.element_count());
    if (!checked)
      return invalid(formatted("input '{}': {}", port.name.view(), checked.error().text));
  }
  if (port.element_type() == ElementType::kBool) {
    const auto bad = std::ranges::find_if(data, [](uint8_t b) { return b > 1; });
    if (bad != data.end())
      return invalid(formatted("input '{}': byte {} is {}; BOOL is one byte, 0 or 1",
                               port.name.view(), bad - data.begin(), *bad));
  }
  return {};
}

// Reads one body against one description; every step is a verb below.
class Matcher final {
 public:
  Matcher(const ModelDescription& model, Bytes tensors) : model_(model), tensors_(tensors) {}

  Result<InferenceRequest> match(RequestJson json, bool has_length);
  Result<InferenceRequest> match_raw();

 private:
  Result<size_t> port_of(const JsonInput& input) const;
  Status check_shape(const PortDescription& port, const Shape& shape);
  Status place(JsonInput& input, bool has_length);
  Result<Bytes> take_binary(const JsonInput& input, const PortDescription& port);
  Result<Bytes> take_raw(Bytes raw, const Shape& shape, const PortDescription& port);
  Status choose_outputs(const RequestJson& json);
  Status choose(const PortDescription& port, OutputChoice choice);
  Result<Shape> raw_shape(const PortDescription& port) const;

  const ModelDescription& model_;
  Bytes tensors_;  // what of the binary part has not been given to a tensor
  InferenceRequest request_;
  std::optional<int64_t> batch_;
};

Result<size_t> Matcher::port_of(const JsonInput& input) const {
  const auto ports = inputs_of(model_);
  const auto port = std::ranges::find(ports, std::string_view(input.name),
                                      [](const PortDescription& p) { return p.name.view(); });
  if (port == ports.end())
    return invalid(formatted("there is no input '{}'; the model has: {}", printable(input.name, 64),
                             names_of(ports)));
  const auto index = static_cast<size_t>(port - ports.begin());
  if (request_.inputs[index].type != ElementType::kNone)
    return invalid(formatted("input '{}' appears twice", printable(input.name, 64)));
  return index;
}

Status Matcher::check_shape(const PortDescription& port, const Shape& shape) {
  if (!port.shape().admits(shape))
    return invalid(
        formatted("input '{}': shape {} does not fit {}; -1 there stands for any "
                  "extent",
                  port.name.view(), shape.text(), port.shape().text()));
  if (model_.batch_max == 0 || shape.rank() == 0) return {};
  const int64_t batch = shape[0];
  if (batch < 1 || batch > model_.batch_max)
    return invalid(formatted("input '{}': the batch, extent 0 of shape {}, must be from 1 to {}",
                             port.name.view(), shape.text(), model_.batch_max));
  if (batch_.value_or(batch) != batch)
    return invalid(formatted("input '{}' is a batch of {} items, another input one of {}",
                             port.name.view(), batch, *batch_));
  batch_ = batch;
  return {};
}

Result<Bytes> Matcher::take_binary(const JsonInput& input, const PortDescription& port) {
  const uint64_t size = *input.binary_size;
  const uint64_t expected = TRY(expected_bytes(port, *input.shape));
  if (port.element_type() != ElementType::kString && size != expected)
    return invalid(formatted(
        "input '{}': binary_data_size is {}, but {} of shape {} takes {} "
        "bytes",
        port.name.view(), size, name_of(port.element_type()), input.shape->text(), expected));
  if (size > tensors_.size())
    return invalid(
        formatted("input '{}': binary_data_size is {}, but only {} bytes of the body "
                  "are left for it",
                  port.name.view(), size, tensors_.size()));
  const Bytes data = tensors_.first(size);
  tensors_ = tensors_.subspan(size);
  request_.uses_body = true;
  return data;
}

Result<Bytes> Matcher::take_raw(Bytes raw, const Shape& shape, const PortDescription& port) {
  const uint64_t expected = TRY(expected_bytes(port, shape));
  if (port.element_type() != ElementType::kString && raw.size() != expected)
    return invalid(formatted(
        "input '{}': its raw contents have {} bytes, but {} of shape {} takes "
        "{}",
        port.name.view(), raw.size(), name_of(port.element_type()), shape.text(), expected));
  request_.uses_body = true;
  return raw;
}

Status Matcher::place(JsonInput& input, bool has_length) {
  const size_t index = TRY(port_of(input));
  const PortDescription& port = model_.inputs[index];
  if (*input.type != port.element_type())
    return invalid(formatted("input '{}': datatype is {}, but the model takes {}", port.name.view(),
                             name_of(*input.type), name_of(port.element_type())));
  TRY(check_shape(port, *input.shape));
  if (!input.raw && input.decoded == input.binary_size.has_value())
    return invalid(
        formatted("input '{}': give exactly one of data and the parameter "
                  "binary_data_size",
                  port.name.view()));
  TensorView& view = request_.inputs[index];
  view.type = port.element_type();
  view.shape = *input.shape;
  if (input.raw) {
    view.data = TRY(take_raw(*input.raw, view.shape, port));
    return check_content(port, view.shape, view.data);
  }
  if (input.decoded) {
    request_.decoded.push_back(std::move(input.data));
    view.data = request_.decoded.back();
    return {};
  }
  if (!has_length)
    return invalid(
        formatted("input '{}' has a binary_data_size, but the request has no header "
                  "{}, which says where the JSON part ends",
                  port.name.view(), kLengthHeader));
  view.data = TRY(take_binary(input, port));
  return check_content(port, view.shape, view.data);
}

Status Matcher::choose(const PortDescription& port, OutputChoice choice) {
  const ElementType type = port.element_type();
  if (choice.classes != 0) {
    if (type == ElementType::kString || type == ElementType::kBool ||
        type == ElementType::kFloat16 || type == ElementType::kBfloat16)
      return invalid(formatted(
          "output '{}': classification needs numbers of 8 to 64 bits, and this output is {}",
          port.name.view(), name_of(type)));
    if (port.rank == (model_.batch_max == 0 ? 0 : 1))
      return invalid(formatted("output '{}': classification needs a dimension to choose from",
                               port.name.view()));
  } else if (!choice.binary && (type == ElementType::kFloat16 || type == ElementType::kBfloat16)) {
    return invalid(
        formatted("output '{}' is {}, which has no JSON form; ask for it with the parameter "
                  "binary_data",
                  port.name.view(), name_of(type)));
  }
  request_.outputs.push_back(choice);
  return {};
}

Status Matcher::choose_outputs(const RequestJson& json) {
  const auto ports = outputs_of(model_);
  const bool binary = json.binary_output.value_or(false);
  request_.outputs.reserve(ports.size());
  if (json.outputs.empty()) {
    for (uint32_t i = 0; i < ports.size(); ++i) TRY(choose(ports[i], {i, binary, 0}));
    return {};
  }
  uint64_t seen = 0;
  static_assert(limits::kModelPorts <= 64);
  for (const JsonOutput& output : json.outputs) {
    const auto port = std::ranges::find(ports, std::string_view(output.name),
                                        [](const PortDescription& p) { return p.name.view(); });
    if (port == ports.end())
      return invalid(formatted("there is no output '{}'; the model has: {}",
                               printable(output.name, 64), names_of(ports)));
    const auto index = static_cast<uint32_t>(port - ports.begin());
    if ((seen & 1ull << index) != 0)
      return invalid(formatted("output '{}' is requested twice", port->name.view()));
    seen |= 1ull << index;
    TRY(choose(*port, {index, output.binary.value_or(binary), output.classes}));
  }
  return {};
}

Result<InferenceRequest> Matcher::match(RequestJson json, bool has_length) {
  request_.inputs.resize(model_.input_count);
  for (JsonInput& input : json.inputs) TRY(place(input, has_length));
  for (uint32_t i = 0; i < model_.input_count; ++i) {
    if (request_.inputs[i].type == ElementType::kNone)
      return invalid(formatted("input '{}' is missing", model_.inputs[i].name.view()));
  }
  if (!tensors_.empty())
    return invalid(
        formatted("{} bytes of the body belong to no input; the sizes in "
                  "binary_data_size must add up to the whole binary part",
                  tensors_.size()));
  TRY(choose_outputs(json));
  if (json.timeout_us)
    request_.timeout = std::chrono::microseconds(std::min(*json.timeout_us, kTimeoutMaxUs));
  request_.id = std::move(json.id);
  request_.batch = static_cast<uint64_t>(batch_.value_or(1));
  return std::move(request_);
}

// The description's shape with the batch set to 1 and its one variable extent worked out.
Result<Shape> Matcher::raw_shape(const PortDescription& port) const {
  Shape shape = port.shape();
  if (model_.batch_max != 0 && shape.rank() > 0) shape[0] = 1;
  const auto variable = std::ranges::count(shape.dims(), -1);
  if (variable > 1)
    return invalid(
        formatted("a raw request ({}: 0) needs a model with at most one variable "
                  "extent; input '{}' has shape {}",
                  kLengthHeader, port.name.view(), port.shape().text()));
  if (variable == 0) return shape;
  const auto at = std::ranges::find(shape.dims(), -1) - shape.dims().begin();
  shape[static_cast<size_t>(at)] = 1;
  if (port.element_type() == ElementType::kString) return shape;
  const uint64_t step = TRY(expected_bytes(port, shape));
  if (step == 0 || tensors_.size() % step != 0)
    return invalid(
        formatted("the raw body has {} bytes, but input '{}' of shape {} takes a "
                  "multiple of {}",
                  tensors_.size(), port.name.view(), port.shape().text(), step));
  shape[static_cast<size_t>(at)] = static_cast<int64_t>(tensors_.size() / step);
  return shape;
}

Result<InferenceRequest> Matcher::match_raw() {
  if (model_.input_count != 1)
    return invalid(
        formatted("a raw request ({}: 0) needs a model with one input; this one has "
                  "{}: {}",
                  kLengthHeader, model_.input_count, names_of(inputs_of(model_))));
  const PortDescription& port = model_.inputs[0];
  TensorView& view = request_.inputs.emplace_back();
  view.type = port.element_type();
  view.shape = TRY(raw_shape(port));
  view.data = tensors_;
  request_.uses_body = true;
  const uint64_t expected = TRY(expected_bytes(port, view.shape));
  if (view.type != ElementType::kString && expected != tensors_.size())
    return invalid(formatted(
        "the raw body has {} bytes, but input '{}', {} of shape {}, takes "
        "{}",
        tensors_.size(), port.name.view(), name_of(view.type), view.shape.text(), expected));
  TRY(check_content(port, view.shape, view.data));
  RequestJson everything;
  everything.binary_output = true;
  TRY(choose_outputs(everything));
  return std::move(request_);
}

}  // namespace

uint64_t InferenceRequest::decoded_bytes() const {
  uint64_t bytes = 0;
  for (const auto& tensor : decoded) bytes += tensor.capacity();
  return bytes;
}

Result<InferenceRequest> parse_inference_request(const ModelDescription& description, Bytes body,
                                                 std::optional<std::string_view> header_length,
                                                 size_t json_bytes_max) {
  uint64_t json_size = body.size();
  if (header_length) json_size = TRY(parse_length(*header_length, body.size()));
  if (header_length && json_size == 0) return Matcher(description, body).match_raw();
  if (json_size > json_bytes_max)
    return Error{Code::kTooLarge,
                 formatted("the JSON part has {} bytes, the limit is {}; send tensors as binary "
                           "(parameter binary_data_size)",
                           json_size, json_bytes_max)};
  auto json = TRY(read_request_json(text_of(body.first(json_size))));
  return Matcher(description, body.subspan(json_size))
      .match(std::move(json), header_length.has_value());
}

Result<InferenceRequest> match_request(const ModelDescription& description, RequestJson request) {
  return Matcher(description, {}).match(std::move(request), false);
}

}  // namespace casemate::gateway
