// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a server says: the first one chooses which answer it is, the second how long
// the JSON part of an inference is.
#include <cstdlib>

#include "outside/client/classes.h"
#include "outside/client/image.h"
#include "outside/client/protocol.h"

namespace {

using namespace casemate;

void inference(Bytes body, uint64_t json_size) {
  const auto tensors = client::read_inference(json_size, body);
  if (!tensors) return;
  for (const client::Tensor& tensor : *tensors) {
    if (!client::check_tensor(tensor.name, tensor.type, tensor.shape, tensor.data)) std::abort();
    const auto classes = client::top_classes(tensor, {}, 3);
    if (classes && classes->size() > 3) std::abort();
  }
}

void metadata(Bytes body) {
  const auto metadata = client::read_metadata(body);
  if (!metadata) return;
  const auto labels = client::labels_of(*metadata);
  for (const client::Port& port : metadata->inputs) {
    const auto recipe = client::recipe_for(port, metadata->properties);
    // Larger ones only take time.
    if (!recipe || uint64_t{recipe->width} * recipe->height > 1 << 16) continue;
    const client::Picture picture{
        .width = 2, .height = 1, .channels = 3, .pixels = {1, 2, 3, 4, 5, 6}};
    const auto tensor = client::to_tensor(picture, *recipe, port);
    if (tensor && !client::check_tensor(tensor->name, tensor->type, tensor->shape, tensor->data))
      std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Bytes body(data + 2, size - 2);
  switch (data[0] % 4) {
    case 0:
      inference(body, data[1]);
      break;
    case 1:
      metadata(body);
      break;
    case 2:
      if (const auto entries = client::read_index(body); entries && entries->size() > size)
        std::abort();
      break;
    default:
      if (client::read_error(data[1] + 400u, body).text.empty()) std::abort();
      break;
  }
  return 0;
}
