// SPDX-License-Identifier: Apache-2.0
// casemate-perf-caller: see caller.h. Descriptor 3 is its control socket, 4 its listening socket.
#include "base/log.h"
#include "tests/perf/caller/caller.h"

int main() {
  casemate::log_as("caller");
  casemate::perf::Caller caller;
  return casemate::enclave::run_template(caller, {casemate::lockdown::Filter::kGateway, 2});
}
