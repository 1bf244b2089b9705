// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: where PoCL keeps kernels that it has compiled, and a device, or none on a machine
// without one. Included, it is there before anything asks OpenCL.
//
//   Owns     its folder, when that is not the build's.
//   Threads  made and destroyed by the main thread alone.
//   Trust    n/a.
//   Fails    never: without a folder PoCL takes its own.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "isolated/driver/opencl/device/device.h"

namespace casemate::driver {

// A folder of the build, which all tests share; by hand one of its own, which goes with the test.
class KernelCache final {
 public:
  KernelCache() {
    const char* build = std::getenv("CASEMATE_BUILD");
    std::string path =
        build == nullptr ? "/tmp/casemate-kernels-XXXXXX" : std::string(build) + "/opencl/cache";
    if (build == nullptr) {
      if (::mkdtemp(path.data()) != nullptr) own_ = path;
    } else {
      std::error_code ignored;
      std::filesystem::create_directories(path, ignored);
    }
    ::setenv("POCL_CACHE_DIR", path.c_str(), 1);
  }
  KernelCache(const KernelCache&) = delete;
  KernelCache& operator=(const KernelCache&) = delete;
  ~KernelCache() {
    std::error_code ignored;
    if (!own_.empty()) std::filesystem::remove_all(own_, ignored);
  }

 private:
  std::string own_;
};

inline const KernelCache kKernelCache;

inline constexpr const char* kNoOpencl =
    "NOT TESTED: this machine has no OpenCL device, so nothing is known of the driver here";

}  // namespace casemate::driver
