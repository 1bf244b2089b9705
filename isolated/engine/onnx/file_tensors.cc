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
  Tensor tensor = TRY(Tensor::deferred(type, shape, [elements, read = read_] {
    std::string copy(text_of(elements));
    if (read) read(elements);
    return copy;
  }));
  tensors_.push_back(tensor);
  return tensor;
}

}  // namespace casemate::engine
