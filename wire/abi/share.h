// SPDX-License-Identifier: Apache-2.0
#pragma once
// Shares: what the percent that enclaves have of their partition's processor come to. Whole cores
// where a share makes whole ones, and each such core is its enclave's alone; otherwise parts of
// cores by a quota, on as few cores as have room for them.
//
//   Trust    monitor and command compute the same from the same description: the one limits
//            enclaves by it, the other plans their threads.
//   Fails    never: check_description() has refused what cannot be shared out.

#include <cstdint>
#include <span>
#include <vector>

#include "wire/abi/system.h"

namespace casemate {

struct Allotment {
  uint64_t cpu_mask = 0;
  uint32_t cpu_percent = 0;  // of one core

  // Its cores are whole and its own, so that it needs no quota.
  [[nodiscard]] bool whole() const;
  [[nodiscard]] uint32_t cores() const;
};

// One for each share, in their order. `cores` are those that the partition may run on, one at
// least, and `cpu_percent` its quota, 0 for none. A share of 0 gets nothing said. Requires: they
// come to 100 at most.
std::vector<Allotment> allot(uint64_t cores, uint32_t cpu_percent,
                             std::span<const uint32_t> shares);

// The cores that this process may run on, of those that a description can name.
uint64_t cores_here();

// Of the partition's memory, what an enclave and its standby may take together. The answers are
// written by one of them only, since a standby has no streams.
uint64_t memory_of_both(const SystemDescription& description, uint32_t enclave);

}  // namespace casemate
