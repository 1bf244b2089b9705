// SPDX-License-Identifier: Apache-2.0
// casemate-perf-requester: see requester.h. Descriptor 3 is its control socket, 4 its listening
// socket.
#include "base/log.h"
#include "tests/perf/requester/requester.h"

int main() {
  casemate::log_as("requester");
  casemate::perf::Requester requester;
  return casemate::enclave::run_template(requester, {casemate::lockdown::Filter::kGateway, 2});
}
