// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModelDescription: what a loaded model tells the world about itself. Flat and of fixed size,
// because it crosses from a model's enclave, which may be hostile, to the gateway: `sound()` is
// checked on a private copy before use.

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/limits.h"
#include "wire/abi/tensor.h"

namespace casemate {

// One input or output. `dims` beyond `rank` are zero; -1 varies.
struct PortDescription {
  Text<128> name;
  uint32_t type = 0;  // ElementType
  uint32_t rank = 0;
  std::array<int64_t, limits::kRank> dims{};

  // Requires: sound().
  [[nodiscard]] ElementType element_type() const { return static_cast<ElementType>(type); }
  [[nodiscard]] Shape shape() const { return Shape(std::span(dims).first(rank)); }
  [[nodiscard]] bool sound() const;
};

// One entry of the model's metadata_props, which clients read to prepare inputs.
struct MetadataEntry {
  Text<64> key;
  Text<192> value;
};

struct ModelDescription {
  static constexpr uint32_t kMagic = 0x4C444D43;  // "CMDL"
  static constexpr uint32_t kVersion = 1;
  static constexpr uint32_t kMetadata = 24;

  uint32_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t input_count = 0;
  uint32_t output_count = 0;
  uint32_t metadata_count = 0;
  // Not 0: extent 0 of every input and output is a batch of at most this many independent items.
  uint32_t batch_max = 0;
  std::array<PortDescription, limits::kModelPorts> inputs;
  std::array<PortDescription, limits::kModelPorts> outputs;
  std::array<MetadataEntry, kMetadata> metadata;

  // True when every count, type, rank and extent is in range and every text ends.
  [[nodiscard]] bool sound() const;
};

}  // namespace casemate
