// SPDX-License-Identifier: Apache-2.0
#pragma once
// The calls of a model enclave, and how tensors lie in a stream's bulk memory.
//
// A call owns one region of bulk-in and one of bulk-out. At the region's start is a
// TensorTable, behind it the tensors, each at a multiple of 64 bytes from the region's start. The
// reader copies the table before it looks at it.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "wire/abi/tensor.h"

namespace casemate::infer {

// The fixed list of calls of a model enclave.
enum class Call : uint32_t {
  // args: InferArgs without inputs; value: InferValue, of loading the model. The ModelDescription
  // is in the region.
  kDescribe = 1,
  kInfer = 2,  // args: InferArgs; value: InferValue
};

inline constexpr uint64_t kAlignment = 64;

// A call's part of the two bulk memories. The callee checks it against what it has mapped.
struct InferArgs {
  uint64_t in_offset = 0;
  uint64_t in_bytes = 0;
  uint64_t out_offset = 0;
  uint64_t out_bytes = 0;
};

struct InferValue {
  uint64_t compute_ns = 0;
};

struct TensorEntry {
  uint32_t type = 0;
  uint32_t rank = 0;
  std::array<int64_t, limits::kRank> dims{};
  uint64_t offset = 0;  // from the region's start
  uint64_t size = 0;
};

struct TensorTable {
  uint32_t count = 0;
  uint32_t reserved = 0;
  std::array<TensorEntry, limits::kModelPorts> entries;
};

// Where the first of `count` tensors lies in a region, and where the next one may after one that
// ended at `end`.
uint64_t first_offset(size_t count);
uint64_t next_offset(uint64_t end);

// Writes the table for tensors whose data already lie in `region`. Requires: they do, and at most
// kModelPorts.
void write_table(std::span<const TensorView> tensors, MutableBytes region);

// Writes table and tensors into `region`. Fails with kTooLarge when they do not fit.
Status write_tensors(std::span<const TensorView> tensors, MutableBytes region);

// The tensors of a region that a peer wrote: the table is copied and checked, the data are views
// into the region that the peer may still change. Fails with kInvalid, saying which tensor is
// wrong.
Result<std::vector<TensorView>> read_tensors(Bytes region);

}  // namespace casemate::infer
