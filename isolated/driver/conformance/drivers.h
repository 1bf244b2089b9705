// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: the drivers that are to conform.

#include <gtest/gtest.h>

#include <functional>

#include "isolated/driver/driver.h"

namespace casemate::driver {

inline constexpr uint64_t kDriverMemory = 32 << 20;

struct Driver {
  const char* name;
  std::function<Result<std::unique_ptr<Device>>(uint64_t memory_bytes)> make;
};

inline void PrintTo(const Driver& driver, std::ostream* out) { *out << driver.name; }

// What the test goes through. Ours are in drivers.cc; a driver that lives elsewhere compiles the
// test's files with a list of its own (examples/new_driver).
const std::vector<Driver>& drivers();

inline constexpr const char* kNoDevice =
    "NOT TESTED: this machine has no such device, so nothing is known of its driver here";

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
