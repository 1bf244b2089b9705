// SPDX-License-Identifier: Apache-2.0
#pragma once
// Mapping: shared or private memory that is unmapped when its owner goes away.
//
//   Owns     the address range, not the descriptor behind it.
//   Threads  as a span: the memory itself may be shared, see wire/ring.
//   Trust    shared memory may be written, or shrunk away, by whoever else has the descriptor:
//            SIGBUS follows, which wire/ring turns into kPartitionFailed.
//   Fails    make returns kPlatform.

#include <cstddef>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate {

class Mapping final {
 public:
  // Maps `size` bytes of `fd` shared, readable and, if `writable`, writable.
  static Result<Mapping> shared(int fd, size_t size, bool writable = true);
  // `size` bytes of zeroed private memory.
  static Result<Mapping> anonymous(size_t size);

  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  // Gives the pages of `part` back to the kernel, which reads them again when they are touched.
  // Does nothing for memory that is in no file. Requires: `part` lies in the mapping.
  void release(Bytes part) const;

  [[nodiscard]] MutableBytes bytes() const { return {data_, size_}; }
  [[nodiscard]] uint8_t* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  Mapping(uint8_t* data, size_t size, bool shared) : data_(data), size_(size), shared_(shared) {}
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  bool shared_ = false;
};

}  // namespace casemate
