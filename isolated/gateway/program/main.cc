// SPDX-License-Identifier: Apache-2.0
// casemate-gateway: the enclave that clients talk to. Descriptor 3 is its control socket, 4 its
// listening socket.
#include <cstdlib>

#include "base/log.h"
#include "isolated/gateway/program/gateway_program.h"

int main() {
  casemate::log_as("gateway");
  const char* options = std::getenv("CASEMATE_OPTIONS");
  casemate::gateway::GatewayProgram program(options != nullptr ? options : "");
  return casemate::enclave::run_template(program, {casemate::lockdown::Filter::kGateway, 2});
}
