// SPDX-License-Identifier: Apache-2.0
// The input is a region of bulk memory as a hostile peer wrote it. Whatever is read from it must
// lie in it, be aligned, and be as large as its shape says.

#include "base/check.h"
#include "isolated/infer/infer.h"

namespace {

using namespace casemate;

void check_tensor(const TensorView& tensor, Bytes region) {
  const auto at = static_cast<uint64_t>(tensor.data.data() - region.data());
  CHECK(at <= region.size() && tensor.data.size() <= region.size() - at,
        "a tensor is in the region");
  CHECK(at % infer::kAlignment == 0, "a tensor is aligned");
  CHECK(tensor.shape.known(), "no extent is negative");
  const auto size = tensor.shape.byte_size(tensor.type);
  CHECK(size && *size <= limits::kTensorBytes, "its size is bounded");
  CHECK(tensor.type == ElementType::kString || *size == tensor.data.size(), "the size is right");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> region(data, data + size);
  const auto tensors = infer::read_tensors(region);
  if (!tensors) {
    CHECK(tensors.error().text.size() > 20, "a refusal is a sentence");
    return 0;
  }
  CHECK(tensors->size() <= limits::kModelPorts, "at most one for each port");
  for (const TensorView& tensor : *tensors) check_tensor(tensor, region);
  // What was read can be written again, and is then read as the same.
  std::vector<uint8_t> copy(region.size() + limits::kModelPorts * infer::kAlignment);
  if (!infer::write_tensors(*tensors, copy)) return 0;  // tensors may overlap, and need more room
  const auto again = infer::read_tensors(copy);
  CHECK(again && again->size() == tensors->size(), "what we write we read");
  return 0;
}
