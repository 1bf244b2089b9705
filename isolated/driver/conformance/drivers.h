// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: the drivers that conform.

#include <gtest/gtest.h>

#include <functional>

#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/npu_device/npu_device.h"
#include "isolated/driver/opencl/device/kernel_cache.h"

namespace casemate::driver {

inline constexpr uint64_t kDriverMemory = 32 << 20;

struct Driver {
  const char* name;
  std::function<Result<std::unique_ptr<Device>>(uint64_t memory_bytes)> make;
};

inline void PrintTo(const Driver& driver, std::ostream* out) { *out << driver.name; }

inline const std::vector<Driver>& drivers() {
  static const std::vector<Driver> all = {
      {"fake", [](uint64_t memory_bytes) { return make_fake({.memory_bytes = memory_bytes}); }},
      {"slow_fake",
       [](uint64_t memory_bytes) {
         return make_fake({.memory_bytes = memory_bytes, .slow_steps = 2});
       }},
      {"cpu",
       [](uint64_t memory_bytes) -> Result<std::unique_ptr<Device>> {
         return make_cpu({.memory_bytes = memory_bytes});
       }},
      {"cpu_of_two_threads",
       [](uint64_t memory_bytes) -> Result<std::unique_ptr<Device>> {
         return make_cpu({.threads = 2, .memory_bytes = memory_bytes});
       }},
      {"cpu_without_generated_code",
       [](uint64_t memory_bytes) -> Result<std::unique_ptr<Device>> {
         return make_cpu({.memory_bytes = memory_bytes, .generates_code = false});
       }},
      {"npu", [](uint64_t memory_bytes) { return make_npu({.memory_bytes = memory_bytes}); }},
      {"opencl", [](uint64_t memory_bytes) { return make_opencl({.memory_bytes = memory_bytes}); }},
  };
  return all;
}

// The device; none where the machine has no hardware for it, and the test is skipped.
inline std::unique_ptr<Device> made_or_none(const Driver& driver) {
  auto made = driver.make(kDriverMemory);
  const bool absent = !made && made.error().code == Code::kNotFound;
  EXPECT_TRUE(made || absent) << made.error().text;
  return made ? *std::move(made) : nullptr;
}

inline std::string driver_name(const testing::TestParamInfo<Driver>& driver) {
  return driver.param.name;
}

}  // namespace casemate::driver
