// SPDX-License-Identifier: Apache-2.0
// casemate-perf-tenants: see tenants.h. Descriptor 3 is its control socket, 4 its listening socket.
#include "base/log.h"
#include "tests/perf/tenants/tenants.h"

int main() {
  casemate::log_as("tenants");
  casemate::perf::Tenants tenants;
  return casemate::enclave::run_template(tenants, {casemate::lockdown::Filter::kGateway, 2});
}
