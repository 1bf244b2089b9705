// SPDX-License-Identifier: Apache-2.0
#pragma once
// DeviceProgram: the enclave that has a device and runs pieces on it for one model's enclave, over
// the stream that the monitor connects (remote/). A stream that ends takes along what its caller
// had here: the device is reset before the next.
//
//   Owns     the device.
//   Threads  the stream is served by one; each queue has its own.
//   Trust    the caller may send anything, and the model's author has written what is in a piece.
//   Fails    start() for options that name no device of this program's kind, prepare() as the
//            driver does; run() when the device lets go of nothing, so that it is started anew.

#include <functional>
#include <memory>
#include <string>

#include "isolated/driver/driver.h"
#include "isolated/enclave/enclave.h"

namespace casemate::driver {

class DeviceProgram final : public enclave::Program {
 public:
  // What there is for the device.
  struct Room {
    uint32_t number = 0;         // of the device
    uint64_t enclave_bytes = 0;  // of the enclave, which its template and its instance share
    uint32_t threads = 1;
  };
  using Open = std::function<Result<std::unique_ptr<Device>>(const Room& room)>;
  enum class When : uint8_t {
    kBefore,  // in the template: the driver starts no threads while it opens
    kAfter,   // in each instance
  };

  // Of an enclave's memory what a device may have that is made in the template: it and its instance
  // have it once each, and there is as much for the process and a piece while it is compiled.
  static constexpr uint64_t kPart = 4;

  // `options`: "device=N".
  DeviceProgram(std::string options, Open open, When when)
      : options_(std::move(options)), open_(std::move(open)), when_(when) {}
  Status start(const control::Message& manifest) override;
  Status prepare() override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  std::string options_;
  Open open_;
  When when_;
  Room room_;
  std::unique_ptr<Device> device_;
};

}  // namespace casemate::driver
