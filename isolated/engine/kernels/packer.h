// SPDX-License-Identifier: Apache-2.0
#pragma once
// Packer: puts constants into the weight store, each in the form that a kernel wants, and each form
// once: plans for different batch sizes share what they can.
//
//   Owns     the list of what was packed; the bytes belong to the store.
//   Threads  one.
//   Trust    constants were checked on import.
//   Fails    as WeightStore::allocate, and as the function that fills.

#include <functional>
#include <map>
#include <string>

#include "isolated/engine/graph/tensor.h"
#include "isolated/tensors/tensors.h"

namespace casemate::engine {

class Packer final {
 public:
  explicit Packer(tensors::WeightStore& store) : store_(store) {}
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  // `size` bytes made from `source` by `fill`, or those that an earlier call made from it in the
  // same `form`. Requires: `source` lives as long as this.
  Result<Bytes> pack(const Tensor& source, const std::string& form, uint64_t size,
                     const std::function<Status(MutableBytes)>& fill);
  // The constant as it is, row-major.
  Result<Bytes> pack(const Tensor& source);

 private:
  tensors::WeightStore& store_;
  std::map<std::pair<const uint8_t*, std::string>, Bytes> packed_;
};

}  // namespace casemate::engine
