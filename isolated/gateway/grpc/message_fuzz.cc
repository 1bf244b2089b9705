// SPDX-License-Identifier: Apache-2.0
// Any bytes as each message that the gateway reads: what is taken must be what the model takes, and
// every raw tensor must lie in the message.

#include "base/check.h"
#include "isolated/gateway/grpc/infer_message.h"
#include "isolated/gateway/grpc/messages.h"

namespace {

using namespace casemate;
using namespace casemate::gateway;

constexpr size_t kTypedMax = 1 << 16;

PortDescription port(std::string_view name, ElementType type, const Shape& shape) {
  PortDescription described;
  described.name = Text<128>::from(name);
  described.type = static_cast<uint32_t>(type);
  described.rank = shape.rank();
  std::ranges::copy(shape.dims(), described.dims.begin());
  return described;
}

const ModelDescription& model() {
  static const ModelDescription made = [] {
    ModelDescription m;
    m.input_count = 3;
    m.output_count = 1;
    m.batch_max = 4;
    m.inputs[0] = port("x", ElementType::kFloat32, {-1, 4});
    m.inputs[1] = port("n", ElementType::kInt8, {-1, 2});
    m.inputs[2] = port("s", ElementType::kString, {-1, 1});
    m.outputs[0] = port("y", ElementType::kFloat32, {-1, 4});
    CHECK(m.sound(), "the description is sound");
    return m;
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  (void)single_message(bytes);
  (void)read_asked_model(bytes);
  (void)read_index_request(bytes);
  (void)read_health_request(bytes);
  auto read = read_infer_request(bytes, kTypedMax);
  if (!read) return 0;
  for (const JsonInput& input : read->request.inputs) {
    if (!input.raw || input.raw->empty()) continue;
    CHECK(input.raw->data() >= data && input.raw->data() + input.raw->size() <= data + size,
          "raw contents lie in the message");
  }
  const auto matched = match_request(model(), std::move(read->request));
  if (!matched) return 0;
  for (size_t i = 0; i < matched->inputs.size(); ++i) {
    const TensorView& tensor = matched->inputs[i];
    const auto expected = tensor.shape.byte_size(tensor.type);
    CHECK(model().inputs[i].shape().admits(tensor.shape), "shapes are the model's");
    if (tensor.type != ElementType::kString)
      CHECK(expected && *expected == tensor.data.size(), "sizes are the shapes'");
  }
  return 0;
}
