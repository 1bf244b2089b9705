// SPDX-License-Identifier: Apache-2.0
#include "wire/abi/share.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

namespace casemate {
namespace {

constexpr uint32_t kCore = 100;  // percent of one core

// What is left of each core while shares are handed out.
class Room final {
 public:
  explicit Room(uint64_t cores) {
    for (uint32_t core = 0; core < limits::kCores; ++core) {
      if ((cores >> core & 1) != 0) left_[core] = kCore;
    }
  }

  // From the core with most room first: one that is whole stays whole, and parts are spread.
  uint64_t take(uint32_t percent) {
    uint64_t mask = 0;
    while (percent > 0) {
      const auto most = std::ranges::max_element(left_);
      if (*most == 0) break;
      const uint32_t taken = std::min(*most, percent);
      *most -= taken;
      percent -= taken;
      mask |= uint64_t{1} << (most - left_.begin());
    }
    return mask;
  }

 private:
  std::array<uint32_t, limits::kCores> left_{};
};

}  // namespace

bool Allotment::whole() const { return cpu_percent == kCore * cores(); }

uint32_t Allotment::cores() const { return static_cast<uint32_t>(std::popcount(cpu_mask)); }

std::vector<Allotment> allot(uint64_t cores, uint32_t cpu_percent,
                             std::span<const uint32_t> shares) {
  uint32_t whole = kCore * static_cast<uint32_t>(std::popcount(cores));
  if (cpu_percent != 0) whole = std::min(whole, cpu_percent);
  std::vector<Allotment> allotments;
  for (const uint32_t share : shares) allotments.push_back({0, whole * share / 100});
  // Whole cores first, then the largest parts, which find a core with room for them soonest.
  std::vector<size_t> order(shares.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), [&](size_t i) {
    const uint32_t percent = allotments[i].cpu_percent;
    return std::pair(percent % kCore == 0, percent);
  });
  Room room(cores);
  for (const size_t i : order) allotments[i].cpu_mask = room.take(allotments[i].cpu_percent);
  return allotments;
}

uint64_t cores_here() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  uint64_t mask = 0;
  for (size_t core = 0; core < limits::kCores; ++core) {
    if (CPU_ISSET(core, &set)) mask |= uint64_t{1} << core;
  }
  return std::max<uint64_t>(mask, 1);
}

uint64_t memory_of_both(const SystemDescription& d, uint32_t enclave) {
  const EnclaveDescription& e = d.enclaves[enclave];
  if (d.partitions[e.partition].standby == 0) return e.memory_bytes;
  uint64_t answers = 0;
  for (uint32_t i = 0; i < d.stream_count; ++i) {
    if (d.streams[i].callee == enclave) answers = d.streams[i].bulk_out_bytes;
  }
  uint64_t sum = 0;
  const uint64_t second = e.memory_bytes - std::min(e.memory_bytes, answers);
  return __builtin_add_overflow(e.memory_bytes, second, &sum) ? UINT64_MAX : sum;
}

}  // namespace casemate
