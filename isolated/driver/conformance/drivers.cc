// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/conformance/drivers.h"

#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/npu_device/npu_device.h"
#include "isolated/driver/opencl/device/kernel_cache.h"
#include "isolated/driver/remote/served_device.h"

namespace casemate::driver {

const std::vector<Driver>& drivers() {
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
      {"remote_fake",
       [](uint64_t memory_bytes) {
         return make_served(make_fake({.memory_bytes = memory_bytes, .slow_steps = 2}));
       }},
      {"remote_cpu",
       [](uint64_t memory_bytes) {
         return make_served(
             Result<std::unique_ptr<Device>>(make_cpu({.memory_bytes = memory_bytes})));
       }},
      {"remote_npu",
       [](uint64_t memory_bytes) { return make_served(make_npu({.memory_bytes = memory_bytes})); }},
      {"remote_opencl",
       [](uint64_t memory_bytes) {
         return make_served(make_opencl({.memory_bytes = memory_bytes}));
       }},
  };
  return all;
}

}  // namespace casemate::driver
