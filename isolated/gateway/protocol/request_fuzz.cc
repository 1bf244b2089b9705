// SPDX-License-Identifier: Apache-2.0
// Any body and any Inference-Header-Content-Length against models of every kind: what is accepted
// must be what the description says, and lie inside the body or the request's own memory.
//
//   input: model | kind of header | two bytes of length | body

#include <array>
#include <string>

#include "base/check.h"
#include "isolated/gateway/protocol/documents.h"
#include "isolated/gateway/protocol/elements.h"
#include "isolated/gateway/protocol/inference_request.h"

namespace casemate::gateway {
namespace {

PortDescription port(std::string_view name, ElementType type, const Shape& shape) {
  PortDescription made;
  made.name = Text<128>::from(name);
  made.type = static_cast<uint32_t>(type);
  made.rank = shape.rank();
  std::ranges::copy(shape.dims(), made.dims.begin());
  return made;
}

std::array<ModelDescription, 5> make_models() {
  std::array<ModelDescription, 5> models;
  for (ModelDescription& model : models) {
    model.input_count = model.output_count = 1;
    model.outputs[0] = port("y", ElementType::kFloat32, {-1, 2});
  }
  models[0].inputs[0] = port("x", ElementType::kFloat32, {-1, 2});
  models[0].batch_max = 4;
  models[1].inputs[0] = port("x", ElementType::kString, {-1});
  models[2].inputs[0] = port("x", ElementType::kBool, {2, -1});
  models[3].inputs[0] = port("x", ElementType::kInt64, {});
  models[4].input_count = 2;
  models[4].inputs[0] = port("a", ElementType::kUint8, {-1, -1});
  models[4].inputs[1] = port("b", ElementType::kFloat16, {-1, 1, 1});
  models[4].output_count = 2;
  models[4].outputs[1] = port("z", ElementType::kBfloat16, {1});
  return models;
}

void check_accepted(const ModelDescription& model, const InferenceRequest& request) {
  CHECK(request.inputs.size() == model.input_count, "every input is there");
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const TensorView& tensor = request.inputs[i];
    CHECK(tensor.type == model.inputs[i].element_type(), "the type is the model's");
    CHECK(tensor.shape.known() && model.inputs[i].shape().admits(tensor.shape), "the shape fits");
    if (tensor.type == ElementType::kString) {
      CHECK(check_strings(tensor.data, *tensor.shape.element_count()).has_value(), "strings fit");
    } else {
      CHECK(*tensor.shape.byte_size(tensor.type) == tensor.data.size(), "the size fits");
    }
    uint8_t sum = 0;
    for (const uint8_t byte : tensor.data) sum = static_cast<uint8_t>(sum + byte);
    volatile uint8_t sink = sum;  // the sanitizer sees every byte read
    (void)sink;
  }
  for (const OutputChoice& choice : request.outputs)
    CHECK(choice.port < model.output_count, "outputs exist");
}

}  // namespace
}  // namespace casemate::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace casemate;
  using namespace casemate::gateway;
  static const auto models = make_models();
  if (size < 4) return 0;
  const ModelDescription& model = models[data[0] % models.size()];
  const Bytes body(data + 4, size - 4);
  const uint32_t number = data[2] | static_cast<uint32_t>(data[3]) << 8;
  std::optional<std::string> length;
  switch (data[1] % 4) {
    case 0:
      break;
    case 1:
      length = "0";
      break;
    case 2:
      length = std::to_string(number);
      break;
    default:
      length = std::string(text_of(body.first(std::min<size_t>(body.size(), number % 24))));
  }
  const auto parsed = parse_inference_request(model, body, length, 1 << 16);
  if (parsed) {
    check_accepted(model, *parsed);
  } else {
    CHECK(!parsed.error().text.empty() && parsed.error().text.size() < 2048, "a sentence");
    (void)error_document(parsed.error().text);
  }
  (void)read_index_filter(body);
  return 0;
}
