// SPDX-License-Identifier: Apache-2.0
#pragma once
// GatewayProgram: the enclave that clients talk to. Its template does nothing but exist; each
// instance makes fresh keys, has the monitor vouch for them, and serves.
//
// The certificate is made anew whenever the monitor has vouched again, with the same key.
//
//   Owns     keys and connections; an instance only.
//   Threads  one.
//   Trust    clients and models may be hostile, the monitor is trusted.
//   Fails    run() with what could not be made; the monitor then starts another instance.

#include "base/clock.h"
#include "isolated/enclave/enclave.h"

namespace casemate::gateway {

class GatewayProgram final : public enclave::Program {
 public:
  // `options` as the launcher wrote them: "key=number;key=number". They are part of the manifest's
  // measurement.
  explicit GatewayProgram(std::string options, const Clock& clock = system_clock())
      : options_(std::move(options)), clock_(clock) {}

  Status start(const control::Message& manifest) override;
  Status run(control::Socket control, const control::Message& manifest) override;
  // Serves clients of `listener` until the monitor says stop or goes away.
  Status serve(Fd listener, control::Socket control, const control::Message& manifest);

 private:
  std::string options_;
  const Clock& clock_;
};

}  // namespace casemate::gateway
