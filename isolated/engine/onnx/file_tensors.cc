// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/file_tensors.h"

namespace casemate::engine {

FileTensors::~FileTensors() {
  for (const Tensor& tensor : tensors_) {
    if (tensor.shared()) tensor.settle();
  }
}

bool FileTensors::takes(ElementType type, uint64_t bytes) {
  const bool real = type == ElementType::kFloat32 || type == ElementType::kFloat64 ||
                    type == ElementType::kFloat16 || type == ElementType::kBfloat16;
  return real && bytes >= kBytesMin;
}

Result<Tensor> FileTensors::add(ElementType type, const Shape& shape, Bytes elements) {
  const auto copy = [elements, read = read_] {
    std::string copied(text_of(elements));
    if (read) read(elements);
    return copied;
  };
  Tensor tensor = TRY(Tensor::deferred(type, shape, copy, {elements, read_}));
  tensors_.push_back(tensor);
  return tensor;
}

}  // namespace casemate::engine
