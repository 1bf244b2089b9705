// SPDX-License-Identifier: Apache-2.0
#pragma once
// FileTensors: tensors whose elements stay in the model's file until somebody asks for them. A
// model of a gigabyte is so loaded with little more memory than its packed weights take: what was
// copied out of the file is given back as soon as it is packed, and so are the file's pages.
//
// Only real numbers are left in the file. Shapes and indices are made of integers, which are
// checked once and must not change afterwards: those are copied while the file is read.
//
//   Owns     a share of the tensors; the file is the caller's.
//   Threads  one.
//   Trust    none in the file, which somebody may even write to meanwhile: that spoils results.
//   Fails    as Tensor::deferred().

#include <functional>
#include <vector>

#include "isolated/engine/graph/tensor.h"

namespace casemate::engine {

class FileTensors final {
 public:
  // Below this, being copied costs less than being remembered.
  static constexpr uint64_t kBytesMin = 32 << 10;

  // `read` is told of parts of the file that were read and will hardly be needed again.
  explicit FileTensors(std::function<void(Bytes)> read) : read_(std::move(read)) {}
  FileTensors(const FileTensors&) = delete;
  FileTensors& operator=(const FileTensors&) = delete;
  // Tensors that are still in use get elements of their own: nothing refers to the file from here
  // on. Requires: the file is still there.
  ~FileTensors();

  // Whether tensors of this type and size may stay in the file.
  static bool takes(ElementType type, uint64_t bytes);
  // Requires: `elements` lie in the file and are as many bytes as type and shape need.
  Result<Tensor> add(ElementType type, const Shape& shape, Bytes elements);

 private:
  std::function<void(Bytes)> read_;
  std::vector<Tensor> tensors_;
};

}  // namespace casemate::engine
