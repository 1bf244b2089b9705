// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ids: distinct types for the things that the monitor numbers, so one cannot be passed for another.

#include <compare>
#include <cstdint>

namespace casemate {

// A partition: 1..255; 0 is the monitor itself.
struct PartitionId {
  uint8_t number = 0;
  auto operator<=>(const PartitionId&) const = default;
};

// An enclave: 8 bits partition, 24 bits enclave within it (Cronus, MICRO 2022).
struct EnclaveId {
  uint32_t number = 0;
  static constexpr EnclaveId of(PartitionId partition, uint32_t index) {
    return {static_cast<uint32_t>(partition.number) << 24 | (index & 0xFFFFFF)};
  }
  [[nodiscard]] constexpr PartitionId partition() const {
    return {static_cast<uint8_t>(number >> 24)};
  }
  [[nodiscard]] constexpr uint32_t index() const { return number & 0xFFFFFF; }
  auto operator<=>(const EnclaveId&) const = default;
};

// A stream between two enclaves, numbered by the monitor; the number outlives restarts of its ends.
struct StreamId {
  uint32_t number = 0;
  auto operator<=>(const StreamId&) const = default;
};

// How often a partition has been started. Every record and message carries it; stale ones are
// refused.
struct Epoch {
  uint32_t number = 0;
  auto operator<=>(const Epoch&) const = default;
};

}  // namespace casemate
