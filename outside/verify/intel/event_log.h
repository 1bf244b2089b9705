// SPDX-License-Identifier: Apache-2.0
#pragma once
// Event logs of TDX guests (ACPI table CCEL): what was measured into the registers RTMR0 to RTMR3,
// event by event, in the form of TCG's PC Client Platform Firmware Profile, section 10, with
// SHA-384.
//
// A register holds a hash over its events' digests, so the log proves its digests once its replay
// gives the quote's registers. Of an event's data only those kinds are proved whose digest is by
// definition of the data; they are compared here. The data of other kinds are a remark by who wrote
// the log.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the log may be hostile: every size is compared with what is left before use.
//   Fails    kInvalid with the event and what is wrong with it.

#include <array>

#include "base/crypto.h"

namespace casemate::verify::intel {

struct Replay {
  std::array<Sha384Digest, 4> rtmr{};
  uint32_t events = 0;  // those that extended a register
};

// Whether this begins as such a log does.
bool looks_like_event_log(Bytes bytes);

// What the registers hold once every event was measured into them. The log ends with its bytes or
// at the mark 0xFFFFFFFF, behind which a buffer may go on.
Result<Replay> replay(Bytes log);

}  // namespace casemate::verify::intel
