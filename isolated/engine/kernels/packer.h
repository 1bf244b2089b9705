// SPDX-License-Identifier: Apache-2.0
#pragma once
// Packer: puts constants into the weight store, each in the form that a kernel wants, and each form
// once: plans for different batch sizes share what they can.
//
//   Owns     the list of what was packed; the bytes belong to the store, if it has one.
//   Threads  one.
//   Trust    constants were checked on import.
//   Fails    as WeightStore::allocate, and as the function that fills.

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "isolated/engine/graph/tensor.h"
#include "isolated/tensors/tensors.h"

namespace casemate::engine {

// What was packed while a model was loaded, for the plans that come later. Immutable then.
class PackedForms final {
 public:
  // Requires: the bytes live as long as this, and so does a tensor of this identity.
  void add(const void* identity, const std::string& form, Bytes bytes) {
    forms_.emplace(std::pair(identity, form), bytes);
  }
  // Empty when it was not packed so.
  [[nodiscard]] Bytes find(const Tensor& source, const std::string& form) const {
    const auto found = forms_.find(std::pair(source.identity(), form));
    return found == forms_.end() ? Bytes() : found->second;
  }

 private:
  std::map<std::pair<const void*, std::string>, Bytes> forms_;
};

class Packer final {
 public:
  explicit Packer(tensors::WeightStore& store) : store_(&store) {}
  // For plans made when the store is sealed: what was not packed before is this process's own.
  // Requires: `before` outlives it, if there is any.
  explicit Packer(const PackedForms* before = nullptr) : before_(before) {}
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  // The source's elements, made again from what they were packed to.
  using Unpack = std::function<std::string(Bytes)>;

  // `size` bytes made from `source` by `fill`, or those that an earlier call made from it in the
  // same `form`. Some forms can be unpacked.
  Result<Bytes> pack(const Tensor& source, const std::string& form, uint64_t size,
                     const std::function<Status(MutableBytes)>& fill, const Unpack& unpack = {});
  // The constant as it is, row-major.
  Result<Bytes> pack(const Tensor& source);
  // The constant for as long as the store lives: a view of what was packed as it is, or else
  // elements that are unpacked when they are first asked for, from any form that can be. Packs what
  // was never packed.
  Result<Tensor> keep(const Tensor& source);
  // Whether it was packed in any form, or in this one.
  [[nodiscard]] bool packed(const Tensor& source) const;
  [[nodiscard]] bool packed(const Tensor& source, const std::string& form) const;
  // Memory that it made itself, in no store.
  [[nodiscard]] uint64_t own_bytes() const { return own_bytes_; }
  // All forms of `source`, as those of what is kept of it.
  void list(const Tensor& source, const Tensor& kept, PackedForms& forms) const;

 private:
  struct Free {
    void operator()(uint8_t* bytes) const { std::free(bytes); }
  };
  Result<MutableBytes> allocate(uint64_t size);

  tensors::WeightStore* store_ = nullptr;
  const PackedForms* before_ = nullptr;
  std::vector<std::unique_ptr<uint8_t, Free>> own_;
  uint64_t own_bytes_ = 0;
  struct Packed {
    Tensor source;  // kept: its identity is the key
    Bytes bytes;
    Unpack unpack;
  };
  std::map<std::pair<const void*, std::string>, Packed> packed_;
};

}  // namespace casemate::engine
