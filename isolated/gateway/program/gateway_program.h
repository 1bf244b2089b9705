// SPDX-License-Identifier: Apache-2.0
#pragma once
// GatewayProgram: the enclave that clients talk to. Its template does nothing but exist; each
// instance makes fresh keys, has the monitor vouch for them, and serves.
//
//   Owns     keys and connections; an instance only.
//   Threads  one.
//   Trust    clients and models may be hostile, the monitor is trusted.
//   Fails    run() with what could not be made; the monitor then starts another instance.

#include "isolated/enclave/enclave.h"

namespace casemate::gateway {

class GatewayProgram final : public enclave::Program {
 public:
  // `options` as the launcher wrote them: "key=number;key=number". They are part of the manifest's
  // measurement.
  explicit GatewayProgram(std::string options) : options_(std::move(options)) {}

  Status start(const control::Message& manifest) override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  std::string options_;
};

}  // namespace casemate::gateway
