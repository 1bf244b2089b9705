// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a TDX guest's event log (ACPI table CCEL) says that the registers RTMR0 to RTMR3 hold.
//
// A register holds a hash over its events' digests, so the log proves its digests once its replay
// gives the quote's registers. Of an event's data only those kinds are proved whose digest is by
// definition of the data; they are compared here. The data of other kinds are a remark by who wrote
// the log.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the log may be hostile; EventLog reads it.
//   Fails    as EventLog does, and with kInvalid, the event and what is wrong with it.

#include <array>

#include "base/crypto.h"

namespace casemate::verify::intel {

struct Replay {
  std::array<Sha384Digest, 4> rtmr{};
  uint32_t events = 0;  // those that extended a register
};

// What the registers hold once every event was measured into them.
Result<Replay> replay(Bytes log);

}  // namespace casemate::verify::intel
