// SPDX-License-Identifier: Apache-2.0
// casemate-mos: the first process of a partition. Descriptor 3 is the monitor, 4 the heartbeat
// page.
#include "base/lockdown/lockdown.h"
#include "base/log.h"
#include "isolated/mos/mos.h"

int main() {
  using namespace casemate;
  log_as("mos");
  auto heartbeat = Mapping::shared(4, 4096);
  if (!heartbeat) return 3;
  mos::Mos mos(control::Socket(Fd(3)), std::move(*heartbeat));
  if (!lockdown::make_undumpable() || !lockdown::apply(lockdown::Filter::kMos)) return 3;
  static_cast<void>(mos.run());
  return 0;
}
