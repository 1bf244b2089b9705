// SPDX-License-Identifier: Apache-2.0
#pragma once
// DeviceProgram: owns an OpenCL device and serves one client.
//
//   Owns     the device, and its compiler's files in /tmp.
//   Threads  the stream is served by one; OpenCL has its own.
//   Trust    the client may send anything, and its kernels are native code in this process: nothing
//            of another client is ever in it.
//   Fails    start() when the machine has no such device.

#include <string>

#include "isolated/enclave/enclave.h"

namespace casemate::opencl {

class DeviceProgram final : public enclave::Program {
 public:
  // `options`: "device=N", N counting all devices of all platforms.
  explicit DeviceProgram(std::string options) : options_(std::move(options)) {}
  Status start(const control::Message& manifest) override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  std::string options_;
  uint32_t index_ = 0;
};

}  // namespace casemate::opencl
